// Element-wise layers: every output element costs the same few operations, whatever the shapes.
#include "ops/broadcast.h"
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

void elementwise(Layer& layer) {
  Shape y = layer.input();
  for (std::size_t index = 1; index < layer.input_count(); ++index) {
    y = broadcast(layer, y.sizes(), layer.input(index).sizes());
  }
  layer.output(y);
  layer.flops = layer.op().coefficients.element * y.elements();
}

// How many of its operands may be tensors; the others are numbers.
struct Operands {
  std::size_t minimum;
  std::size_t maximum;
};
constexpr Operands one{1, 1};
constexpr Operands one_or_two{1, 2};
constexpr Operands one_to_three{1, 3};
constexpr Operands two_or_three{2, 3};
constexpr Operands three{3, 3};

constexpr Op op(std::string_view name, Operands operands, std::int64_t operations) {
  return {.name = name,
          .family = "elementwise",
          .rule = elementwise,
          .minimum_inputs = operands.minimum,
          .maximum_inputs = operands.maximum,
          .coefficients = {.element = operations}};
}

// Gives its input back.
constexpr Op view(std::string_view name) {
  Op result = op(name, one, 0);
  result.view = true;
  return result;
}

constexpr Op ops[] = {
    // Activations. One comparison per boundary between the pieces of a function and its costliest
    // piece; a named function, sigmoid and the normal distribution included, is one operation.
    op("relu", one, 1),
    op("relu6", one, 2),
    op("hardtanh", one, 2),
    op("leaky_relu", one, 2),
    op("rrelu", one, 2),
    op("elu", one, 4),
    op("celu", one, 5),
    op("selu", one, 5),
    op("gelu", one, 2),
    op("gelu_tanh", one, 9),
    op("silu", one, 2),
    op("mish", one, 5),
    op("sigmoid", one, 1),
    op("logsigmoid", one, 2),
    op("tanh", one, 1),
    op("hardsigmoid", one, 4),
    op("hardswish", one, 5),
    op("softplus", one, 5),
    op("softsign", one, 3),
    op("tanhshrink", one, 2),
    op("hardshrink", one, 2),
    op("softshrink", one, 3),
    op("threshold", one, 1),

    // Functions of one argument.
    op("abs", one, 1),
    op("neg", one, 1),
    op("sign", one, 1),
    op("sgn", one, 1),
    op("signbit", one, 1),
    op("ceil", one, 1),
    op("floor", one, 1),
    op("round", one, 1),
    op("trunc", one, 1),
    op("frac", one, 1),
    op("square", one, 1),
    op("sqrt", one, 1),
    op("rsqrt", one, 1),
    op("reciprocal", one, 1),
    op("exp", one, 1),
    op("exp2", one, 1),
    op("expm1", one, 1),
    op("log", one, 1),
    op("log2", one, 1),
    op("log10", one, 1),
    op("log1p", one, 1),
    op("sin", one, 1),
    op("cos", one, 1),
    op("tan", one, 1),
    op("asin", one, 1),
    op("acos", one, 1),
    op("atan", one, 1),
    op("sinh", one, 1),
    op("cosh", one, 1),
    op("asinh", one, 1),
    op("acosh", one, 1),
    op("atanh", one, 1),
    op("sinc", one, 1),
    op("logit", one, 1),
    op("deg2rad", one, 1),
    op("rad2deg", one, 1),
    op("angle", one, 1),
    op("erf", one, 1),
    op("erfc", one, 1),
    op("erfcx", one, 1),
    op("erfinv", one, 1),
    op("ndtr", one, 1),
    op("ndtri", one, 1),
    op("log_ndtr", one, 1),
    op("lgamma", one, 1),
    op("digamma", one, 1),
    op("polygamma", one, 1),
    op("i0", one, 1),
    op("i0e", one, 1),
    op("i1", one, 1),
    op("i1e", one, 1),
    op("isnan", one, 1),
    op("isinf", one, 1),
    op("isfinite", one, 1),
    op("isposinf", one, 1),
    op("isneginf", one, 1),
    op("isreal", one, 1),
    op("nan_to_num", one, 3),
    op("logical_not", one, 1),
    op("bitwise_not", one, 1),

    // Arithmetic of two arguments.
    op("add", one_or_two, 1),
    op("sub", one_or_two, 1),
    op("rsub", one_or_two, 1),
    op("add_scaled", one_or_two, 2),
    op("mul", one_or_two, 1),
    op("div", one_or_two, 1),
    op("floor_divide", one_or_two, 1),
    op("remainder", one_or_two, 1),
    op("fmod", one_or_two, 1),
    op("pow", one_or_two, 1),
    op("float_power", one_or_two, 1),
    op("atan2", one_or_two, 1),
    op("maximum", one_or_two, 1),
    op("minimum", one_or_two, 1),
    op("fmax", one_or_two, 1),
    op("fmin", one_or_two, 1),
    op("copysign", one_or_two, 1),
    op("nextafter", one_or_two, 1),
    op("heaviside", one_or_two, 1),
    op("gcd", one_or_two, 1),
    op("lcm", one_or_two, 1),
    op("igamma", one_or_two, 1),
    op("igammac", one_or_two, 1),
    op("zeta", one_or_two, 1),
    op("ldexp", one_or_two, 2),
    op("xlogy", one_or_two, 2),
    op("xlog1py", one_or_two, 2),
    op("hypot", one_or_two, 4),
    op("logaddexp", one_or_two, 4),
    op("logaddexp2", one_or_two, 4),

    // Comparisons, logical and bitwise operators.
    op("eq", one_or_two, 1),
    op("ne", one_or_two, 1),
    op("lt", one_or_two, 1),
    op("le", one_or_two, 1),
    op("gt", one_or_two, 1),
    op("ge", one_or_two, 1),
    op("isclose", one_or_two, 6),
    op("logical_and", one_or_two, 1),
    op("logical_or", one_or_two, 1),
    op("logical_xor", one_or_two, 1),
    op("bitwise_and", one_or_two, 1),
    op("bitwise_or", one_or_two, 1),
    op("bitwise_xor", one_or_two, 1),
    op("bitwise_left_shift", one_or_two, 1),
    op("bitwise_right_shift", one_or_two, 1),

    // Limits, interpolation, and the fused products that optimizers and normalizations use.
    op("clamp", one_to_three, 2),
    op("clamp_min", one_or_two, 1),
    op("clamp_max", one_or_two, 1),
    op("lerp", two_or_three, 3),
    op("addcmul", three, 3),
    op("addcdiv", three, 3),

    // Elements are chosen or converted: data moves, but nothing is calculated.
    op("where", one_to_three, 0),
    op("masked_fill", two_or_three, 0),
    op("cast", one, 0),

    // Inference leaves all elements as they are.
    view("dropout"),
    view("dropout1d"),
    view("dropout2d"),
    view("dropout3d"),
    view("alpha_dropout"),
    view("feature_alpha_dropout"),
};

}  // namespace

std::span<const Op> elementwise_ops() { return ops; }

}  // namespace netledger
