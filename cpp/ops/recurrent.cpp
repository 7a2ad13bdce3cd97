// Recurrent networks over sequences, and their cells, which take one step.
#include "ops/contraction.h"
#include "ops/families.h"
#include "ops/layer.h"

namespace netledger {

namespace {

constexpr std::string_view nonlinearities[] = {"tanh", "relu"};

namespace rnn {
enum Slot { hidden_size, num_layers, nonlinearity, bias, batch_first, bidirectional };
constexpr AttributeSpec attributes[] = {
    {"hidden_size", AttributeKind::integer},
    {"num_layers", AttributeKind::integer, Otherwise::value, 1},
    {"nonlinearity", AttributeKind::choice, Otherwise::value, 0, nonlinearities},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
    {"batch_first", AttributeKind::flag, Otherwise::value, 0},
    {"bidirectional", AttributeKind::flag, Otherwise::value, 0},
};
}  // namespace rnn

// Of lstm; gru has all but the last.
namespace gated {
enum Slot { hidden_size, num_layers, bias, batch_first, bidirectional, proj_size };
constexpr AttributeSpec attributes[] = {
    {"hidden_size", AttributeKind::integer},
    {"num_layers", AttributeKind::integer, Otherwise::value, 1},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
    {"batch_first", AttributeKind::flag, Otherwise::value, 0},
    {"bidirectional", AttributeKind::flag, Otherwise::value, 0},
    {"proj_size", AttributeKind::integer, Otherwise::value, 0},
};
}  // namespace gated

// Of rnn_cell; lstm_cell and gru_cell have all but the last.
namespace cell {
enum Slot { hidden_size, bias, nonlinearity };
constexpr AttributeSpec attributes[] = {
    {"hidden_size", AttributeKind::integer},
    {"bias", AttributeKind::flag, Otherwise::value, 1},
    {"nonlinearity", AttributeKind::choice, Otherwise::value, 0, nonlinearities},
};
}  // namespace cell

// What a unit of the hidden state takes besides the dot products and their biases:
//   rnn   h = tanh(a + b): an addition and a nonlinearity
//   lstm  4 gates of a sum and a nonlinearity, c = f c + i g (3), h = o tanh(c) (2)
//   gru   r and z, a sum and a nonlinearity each (4), n = tanh(a + r b) (3),
//         h = (1 - z) n + z h (4)
// a is what the input gives, b what the state gives.
struct Recurrence {
  std::int64_t gates;
  std::int64_t pointwise;
  bool memory;  // has a second state, c
};
constexpr Recurrence simple{.gates = 1, .pointwise = 2, .memory = false};
constexpr Recurrence lstm_recurrence{.gates = 4, .pointwise = 13, .memory = true};
constexpr Recurrence gru_recurrence{.gates = 3, .pointwise = 11, .memory = false};

struct Cell {
  Recurrence recurrence;
  Quantity hidden_size;
  // Size of the state that recurs: the projection's, else hidden_size.
  Quantity state_size;
  bool bias = true;
  bool projection = false;

  void add_weights(Layer& layer, const Quantity& input_size) const {
    const Quantity gates = recurrence.gates * hidden_size;
    layer.parameter({gates, input_size});
    layer.parameter({gates, state_size});
    if (bias) {
      layer.parameter({gates});
      layer.parameter({gates});
    }
    if (projection) layer.parameter({state_size, hidden_size});
  }

  // `steps` of this cell, over all samples and positions.
  void add_steps(Layer& layer, const Quantity& steps, const Quantity& input_size) const {
    const Quantity gates = recurrence.gates * hidden_size;
    add_arithmetic(layer, affine_map(steps, input_size, gates, bias));
    add_arithmetic(layer, affine_map(steps, state_size, gates, bias));
    layer.flops += steps * hidden_size * recurrence.pointwise;
    if (projection) add_arithmetic(layer, affine_map(steps, hidden_size, state_size, false));
  }
};

Cell cell_of(Layer& layer, const Recurrence& recurrence, std::size_t hidden_slot, bool bias) {
  const Quantity hidden_size = layer.integer(hidden_slot);
  layer.require(hidden_size > 0, "hidden_size must be positive, got {}", hidden_size);
  return {.recurrence = recurrence,
          .hidden_size = hidden_size,
          .state_size = hidden_size,
          .bias = bias};
}

void require_input_size(Layer& layer, const Quantity& input_size) {
  layer.require(input_size > 0, "input_size must be positive, got {}", input_size);
}

void require_state(Layer& layer, std::size_t input, std::string_view name, const Shape& expected) {
  constexpr std::string_view rule = "{} must have shape {}, got {}";
  const Shape& given = layer.input(input);
  layer.require(given.rank() == expected.rank(), rule, name, expected, given);
  for (std::size_t dimension = 0; dimension < given.rank(); ++dimension) {
    layer.require(given[dimension] == expected[dimension], rule, name, expected, given);
  }
}

// The states that are given have the shapes of the states that the layer returns.
void require_states(Layer& layer, const Cell& cell, const Shape& hidden, const Shape& memory) {
  const std::size_t given = layer.input_count() - 1;
  if (given == 0) return;
  if (cell.recurrence.memory && given == 1) {
    layer.refuse("h0 and c0 are given together or not at all");
  }
  require_state(layer, 1, "h0", hidden);
  if (cell.recurrence.memory) require_state(layer, 2, "c0", memory);
}

struct Stack {
  std::int64_t num_layers = 1;
  bool batch_first = false;
  bool bidirectional = false;
};

void run_sequence(Layer& layer, const Cell& cell, const Stack& stack) {
  const Shape& x = layer.input();
  const std::size_t rank = x.rank();
  layer.require(rank == 2 || rank == 3,
                "the input must have 3 or 2 dimensions, (L, N, I), (N, L, I) or (L, I), got {}",
                rank);
  layer.require(stack.num_layers > 0, "num_layers must be positive, got {}", stack.num_layers);
  const Quantity input_size = x.last();
  require_input_size(layer, input_size);
  const Quantity length = x[rank == 3 && stack.batch_first ? 1 : 0];
  layer.require(length > 0, "the sequence must have a positive length, got {}", length);

  const std::int64_t directions = stack.bidirectional ? 2 : 1;
  const Quantity output_size = directions * cell.state_size;
  Shape output(x.sizes(0, rank - 1));
  const Quantity steps = output.elements() * directions;
  output.append(output_size);
  Shape hidden{stack.num_layers * directions};
  if (rank == 3) hidden.append(x[stack.batch_first ? 0 : 1]);
  Shape memory = hidden;
  hidden.append(cell.state_size);
  memory.append(cell.hidden_size);
  require_states(layer, cell, hidden, memory);
  layer.output(output);
  layer.output(hidden);
  if (cell.recurrence.memory) layer.output(memory);

  for (std::int64_t index = 0; index < stack.num_layers; ++index) {
    for (std::int64_t direction = 0; direction < directions; ++direction) {
      cell.add_weights(layer, index == 0 ? input_size : output_size);
    }
  }
  cell.add_steps(layer, steps, input_size);
  cell.add_steps(layer, steps * (stack.num_layers - 1), output_size);
}

void run_cell(Layer& layer, const Recurrence& recurrence) {
  const Shape& x = layer.input();
  const std::size_t rank = x.rank();
  layer.require(rank == 1 || rank == 2,
                "the input must have 2 or 1 dimensions, (N, I) or (I,), got {}", rank);
  const Cell cell = cell_of(layer, recurrence, cell::hidden_size, layer.flag(cell::bias));
  require_input_size(layer, x.last());

  Shape hidden(x.sizes(0, rank - 1));
  const Quantity steps = hidden.elements();
  hidden.append(cell.hidden_size);
  require_states(layer, cell, hidden, hidden);
  layer.output(hidden);
  if (recurrence.memory) layer.output(hidden);
  cell.add_weights(layer, x.last());
  cell.add_steps(layer, steps, x.last());
}

void rnn_rule(Layer& layer) {
  using namespace rnn;
  const Cell cell = cell_of(layer, simple, hidden_size, layer.flag(bias));
  run_sequence(layer, cell,
               {.num_layers = layer.fixed(layer.integer(num_layers), "num_layers"),
                .batch_first = layer.flag(batch_first),
                .bidirectional = layer.flag(bidirectional)});
}

Stack gated_stack(Layer& layer) {
  using namespace gated;
  return {.num_layers = layer.fixed(layer.integer(num_layers), "num_layers"),
          .batch_first = layer.flag(batch_first),
          .bidirectional = layer.flag(bidirectional)};
}

void lstm_rule(Layer& layer) {
  using namespace gated;
  Cell cell = cell_of(layer, lstm_recurrence, hidden_size, layer.flag(bias));
  const Quantity projected = layer.integer(proj_size);
  // Whether there is a projection is structure: an expression is always the size of one.
  if (!projected.is(0)) {
    layer.require(both(projected > 0, projected < cell.hidden_size),
                  "proj_size must be 0 or positive and smaller than hidden_size {}, got {}",
                  cell.hidden_size, projected);
    cell.state_size = projected;
    cell.projection = true;
  }
  run_sequence(layer, cell, gated_stack(layer));
}

void gru_rule(Layer& layer) {
  using namespace gated;
  const Cell cell = cell_of(layer, gru_recurrence, hidden_size, layer.flag(bias));
  run_sequence(layer, cell, gated_stack(layer));
}

void rnn_cell(Layer& layer) { run_cell(layer, simple); }
void lstm_cell(Layer& layer) { run_cell(layer, lstm_recurrence); }
void gru_cell(Layer& layer) { run_cell(layer, gru_recurrence); }

constexpr Op op(std::string_view name, Rule rule, std::span<const AttributeSpec> attributes,
                std::size_t states) {
  return {.name = name,
          .family = "recurrent",
          .rule = rule,
          .attributes = attributes,
          .maximum_inputs = 1 + states,
          .contraction = true};
}

constexpr std::span<const AttributeSpec> lstm_attributes = gated::attributes;
constexpr std::span<const AttributeSpec> cell_attributes = cell::attributes;

constexpr Op ops[] = {
    op("rnn", rnn_rule, rnn::attributes, 1),
    op("lstm", lstm_rule, lstm_attributes, 2),
    op("gru", gru_rule, lstm_attributes.first(gated::proj_size), 1),
    op("rnn_cell", rnn_cell, cell_attributes, 1),
    op("lstm_cell", lstm_cell, cell_attributes.first(cell::nonlinearity), 2),
    op("gru_cell", gru_cell, cell_attributes.first(cell::nonlinearity), 1),
};

}  // namespace

std::span<const Op> recurrent_ops() { return ops; }

}  // namespace netledger
