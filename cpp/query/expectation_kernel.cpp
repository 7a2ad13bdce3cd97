#include <cstddef>
#include <cstdint>

#include "query/expectation.h"
#include "query/expectation_parts.h"

#define NETLEDGER_INLINE [[gnu::always_inline]] inline

namespace netledger {

namespace {

constexpr std::size_t none = 0;

// What a vector unit works on. It may be read where doubles were written.
template <std::size_t Width>
struct Unit;
template <>
struct Unit<2> {
  using Part = double __attribute__((vector_size(16), may_alias));
};
template <>
struct Unit<4> {
  using Part = double __attribute__((vector_size(32), may_alias));
};
template <>
struct Unit<8> {
  using Part = double __attribute__((vector_size(64), may_alias));
};

// All that is computed, with vector units of `Width` doubles. Everything is inlined into the
// function that is compiled for such a machine: no vector is ever passed to another one. Sums are
// in an order that depends on the plan alone.
template <std::size_t Width>
struct Kernel {
  // The numbers of all lanes: what Lanes8 holds, with arithmetic.
  struct [[gnu::may_alias]] Vector {
    using Part = Unit<Width>::Part;
    static constexpr std::size_t parts = Lanes8::count / Width;
    Part part[parts];

    [[nodiscard]] NETLEDGER_INLINE static Vector of(double number) {
      Vector result;
      for (Part& part : result.part) part = Part{} + number;
      return result;
    }
    NETLEDGER_INLINE Vector& operator+=(const Vector& other) {
      for (std::size_t index = 0; index < parts; ++index) part[index] += other.part[index];
      return *this;
    }
    NETLEDGER_INLINE Vector& operator-=(const Vector& other) {
      for (std::size_t index = 0; index < parts; ++index) part[index] -= other.part[index];
      return *this;
    }
    NETLEDGER_INLINE Vector& operator*=(const Vector& other) {
      for (std::size_t index = 0; index < parts; ++index) part[index] *= other.part[index];
      return *this;
    }
    NETLEDGER_INLINE Vector& operator/=(const Vector& other) {
      for (std::size_t index = 0; index < parts; ++index) part[index] /= other.part[index];
      return *this;
    }
    NETLEDGER_INLINE friend Vector operator+(const Vector& left, const Vector& right) {
      Vector result = left;
      return result += right;
    }
    NETLEDGER_INLINE friend Vector operator-(const Vector& left, const Vector& right) {
      Vector result = left;
      return result -= right;
    }
    NETLEDGER_INLINE friend Vector operator*(const Vector& left, const Vector& right) {
      Vector result = left;
      return result *= right;
    }
    NETLEDGER_INLINE friend Vector operator*(const Vector& left, double right) {
      return left * Vector::of(right);
    }
    NETLEDGER_INLINE friend Vector operator/(const Vector& left, const Vector& right) {
      Vector result = left;
      return result /= right;
    }
  };

  // What a kernel works on.
  struct Frame {
    const ExpectationParts& parts;
    Vector* work;
    Vector* probabilities;
    Vector* gradients;
    Vector* masses;
    Vector* shared;
    Vector* products;
    // Whether the probabilities of each variable have the sum 1.
    bool scaled;
    Vector value;
    // Of all probabilities, where they have to be distributions: the least, and the largest
    // distance of a sum from 1. A sum that is not finite makes the third no number.
    Vector least;
    Vector distance;
    Vector finite;
    // The least probability of acceptance.
    Vector acceptance;
  };

  NETLEDGER_INLINE static void lower(Vector& least, const Vector& other) {
    for (std::size_t part = 0; part < Vector::parts; ++part) {
      least.part[part] = other.part[part] < least.part[part] ? other.part[part] : least.part[part];
    }
  }
  NETLEDGER_INLINE static void raise(Vector& most, const Vector& other) {
    for (std::size_t part = 0; part < Vector::parts; ++part) {
      most.part[part] = other.part[part] > most.part[part] ? other.part[part] : most.part[part];
    }
  }
  NETLEDGER_INLINE static void lower_to_size(Vector& least, const Vector& other) {
    Vector size = other;
    raise(size, Vector{} - other);
    lower(least, size);
  }

  // -- probabilities
  // ------------------------------------------------------------------------------

  NETLEDGER_INLINE static void sum_masses(Frame& frame) {
    for (std::size_t index = 0; index < frame.parts.variables.size(); ++index) {
      const ExpectedVariable& variable = frame.parts.variables[index];
      const Vector* probabilities = frame.probabilities + variable.column;
      Vector sum = probabilities[0];
      lower(frame.least, sum);
      for (std::size_t code = 1; code < variable.size; ++code) {
        sum += probabilities[code];
        lower(frame.least, probabilities[code]);
      }
      frame.masses[index] = sum;
      raise(frame.distance, sum - Vector::of(1));
      raise(frame.distance, Vector::of(1) - sum);
      frame.finite += sum - sum;
    }
  }

  NETLEDGER_INLINE static void scale(Frame& frame, std::size_t index) {
    const ExpectedVariable& variable = frame.parts.variables[index];
    const Vector factor = Vector::of(1) / frame.masses[index];
    for (std::size_t code = 0; code < variable.size; ++code) {
      frame.probabilities[variable.column + code] *= factor;
    }
  }

  // Scales what does not change the function: all probabilities where they have to be
  // distributions, else those of which a quotient does not depend on the scale.
  NETLEDGER_INLINE static void scale_all(Frame& frame) {
    for (std::size_t index = 0; index < frame.parts.variables.size(); ++index) {
      if (frame.scaled) {
        scale(frame, index);
      } else if (frame.parts.conditional && !frame.parts.variables[index].restricted) {
        lower_to_size(frame.acceptance, frame.masses[index]);
        scale(frame, index);
      }
    }
  }

  // -- terms
  // --------------------------------------------------------------------------------------

  // Sums a table over its last variable. The sizes that are most common are known to the compiler.
  template <std::size_t Size, class Entry>
  NETLEDGER_INLINE static void contract_sized(const Entry* table, std::size_t entries,
                                              std::size_t size, const Vector* probabilities,
                                              Vector* sums) {
    const std::size_t codes = Size == none ? size : Size;
    for (std::size_t entry = 0; entry < entries; ++entry, table += codes) {
      Vector sum = probabilities[0] * table[0];
      for (std::size_t code = 1; code < codes; ++code) {
        sum += probabilities[code] * table[code];
      }
      sums[entry] = sum;
    }
  }

  template <class Entry>
  NETLEDGER_INLINE static void contract(const Entry* table, std::size_t entries, std::size_t size,
                                        const Vector* probabilities, Vector* sums) {
    switch (size) {
      case 2:
        contract_sized<2>(table, entries, size, probabilities, sums);
        break;
      case 3:
        contract_sized<3>(table, entries, size, probabilities, sums);
        break;
      case 4:
        contract_sized<4>(table, entries, size, probabilities, sums);
        break;
      default:
        contract_sized<none>(table, entries, size, probabilities, sums);
    }
  }

  // The other way: what the value changes with the sums, as what it changes with the probabilities.
  template <std::size_t Size, class Entry>
  NETLEDGER_INLINE static void differentiate_sized(const Entry* table, std::size_t entries,
                                                   std::size_t size, const Vector* weights,
                                                   Vector* gradients) {
    if constexpr (Size == none) {
      for (std::size_t entry = 0; entry < entries; ++entry, table += size) {
        for (std::size_t code = 0; code < size; ++code) {
          gradients[code] += weights[entry] * table[code];
        }
      }
    } else {
      Vector sums[Size];
      for (std::size_t code = 0; code < Size; ++code) sums[code] = gradients[code];
      for (std::size_t entry = 0; entry < entries; ++entry, table += Size) {
        for (std::size_t code = 0; code < Size; ++code) {
          sums[code] += weights[entry] * table[code];
        }
      }
      for (std::size_t code = 0; code < Size; ++code) gradients[code] = sums[code];
    }
  }

  template <class Entry>
  NETLEDGER_INLINE static void differentiate(const Entry* table, std::size_t entries,
                                             std::size_t size, const Vector* weights,
                                             Vector* gradients) {
    switch (size) {
      case 2:
        differentiate_sized<2>(table, entries, size, weights, gradients);
        break;
      case 3:
        differentiate_sized<3>(table, entries, size, weights, gradients);
        break;
      case 4:
        differentiate_sized<4>(table, entries, size, weights, gradients);
        break;
      default:
        differentiate_sized<none>(table, entries, size, weights, gradients);
    }
  }

  // The weights of a table's entries, from those of its sums.
  NETLEDGER_INLINE static void spread(const Vector* weights, std::size_t entries, std::size_t size,
                                      const Vector* probabilities, Vector* result) {
    for (std::size_t entry = 0; entry < entries; ++entry, result += size) {
      for (std::size_t code = 0; code < size; ++code) {
        result[code] = weights[entry] * probabilities[code];
      }
    }
  }

  NETLEDGER_INLINE static void contract_terms(Frame& frame) {
    for (const ExpectedTerm& term : frame.parts.terms) {
      const std::size_t levels = term.variables.size();
      for (std::size_t level = levels; level-- > term.kept;) {
        const ExpectedVariable& variable = frame.parts.variables[term.variables[level]];
        const Vector* probabilities = frame.probabilities + variable.column;
        Vector* sums = frame.work + term.sums[level];
        if (level + 1 == levels) {
          contract(term.table.data(), term.entries[level], variable.size, probabilities, sums);
        } else {
          contract(frame.work + term.sums[level + 1], term.entries[level], variable.size,
                   probabilities, sums);
        }
      }
    }
  }

  // The weights of level `kept` are there.
  NETLEDGER_INLINE static void differentiate_terms(Frame& frame) {
    for (const ExpectedTerm& term : frame.parts.terms) {
      const std::size_t levels = term.variables.size();
      for (std::size_t level = term.kept; level < levels; ++level) {
        const ExpectedVariable& variable = frame.parts.variables[term.variables[level]];
        const Vector* weights = frame.work + term.weights[level];
        Vector* gradients = frame.gradients + variable.column;
        if (level + 1 == levels) {
          differentiate(term.table.data(), term.entries[level], variable.size, weights, gradients);
        } else {
          differentiate(frame.work + term.sums[level + 1], term.entries[level], variable.size,
                        weights, gradients);
          spread(weights, term.entries[level], variable.size, frame.probabilities + variable.column,
                 frame.work + term.weights[level + 1]);
        }
      }
    }
  }

  // -- probabilities of any sum, where nothing is refused
  // ------------------------------------------------------------------------------

  // A sum over all rows of codes has the sums of the variables that a term does not depend on as
  // factors. Adds one term's value; its weight is the product of the factors.
  NETLEDGER_INLINE static void add_with_masses(Frame& frame, const std::size_t* begin,
                                               const std::size_t* end, const Vector& sum,
                                               Vector& weight) {
    const auto depends = [begin, end](std::size_t variable) {
      for (const std::size_t* at = begin; at != end; ++at) {
        if (*at == variable) return true;
      }
      return false;
    };
    Vector before = Vector::of(1);
    for (std::size_t index = 0; index < frame.parts.variables.size(); ++index) {
      if (depends(index)) continue;
      frame.products[index] = before;
      before *= frame.masses[index];
    }
    Vector behind = sum;
    for (std::size_t index = frame.parts.variables.size(); index-- > 0;) {
      if (depends(index)) continue;
      frame.shared[index] += frame.products[index] * behind;
      behind *= frame.masses[index];
    }
    frame.value += sum * before;
    weight = before;
  }

  NETLEDGER_INLINE static void sum_with_masses(Frame& frame) {
    for (std::size_t index = 0; index < frame.parts.variables.size(); ++index) {
      frame.shared[index] = Vector{};
    }
    frame.value = Vector{};
    Vector weight;
    add_with_masses(frame, nullptr, nullptr, Vector::of(frame.parts.constant), weight);
    for (const ExpectedTerm& term : frame.parts.terms) {
      const std::size_t* variables = term.variables.data();
      add_with_masses(frame, variables, variables + term.variables.size(), frame.work[term.sums[0]],
                      weight);
      frame.work[term.weights[0]] = weight;
    }
  }

  // -- distributions
  // ---------------------------------------------------------------------------------

  // Terms over no restricted variables.
  NETLEDGER_INLINE static void sum_terms(Frame& frame) {
    frame.value = Vector::of(frame.parts.constant);
    for (const ExpectedTerm& term : frame.parts.terms) {
      if (term.kept > 0) continue;
      frame.value += frame.work[term.sums[0]];
      frame.work[term.weights[0]] = Vector::of(1);
    }
  }

  // What the derivatives by all codes of a variable have in common. The sum of p * g is linear in
  // the variable's probabilities p, and the rest of the value as if it were multiplied by their
  // sum; a quotient does not depend on that sum.
  NETLEDGER_INLINE static void share(Frame& frame) {
    for (std::size_t index = 0; index < frame.parts.variables.size(); ++index) {
      const ExpectedVariable& variable = frame.parts.variables[index];
      Vector sum = frame.parts.conditional ? Vector{} : frame.value;
      if (!variable.restricted) {
        for (std::size_t code = 0; code < variable.size; ++code) {
          sum -=
              frame.probabilities[variable.column + code] * frame.gradients[variable.column + code];
        }
      }
      frame.shared[index] = sum;
    }
  }

  NETLEDGER_INLINE static void add_shared(Frame& frame) {
    for (std::size_t index = 0; index < frame.parts.variables.size(); ++index) {
      const ExpectedVariable& variable = frame.parts.variables[index];
      const bool was_scaled = !frame.scaled && frame.parts.conditional && !variable.restricted;
      const Vector factor = was_scaled ? Vector::of(1) / frame.masses[index] : Vector::of(1);
      for (std::size_t code = 0; code < variable.size; ++code) {
        Vector& gradient = frame.gradients[variable.column + code];
        gradient = (gradient + frame.shared[index]) * factor;
      }
    }
  }

  // -- elimination
  // ---------------------------------------------------------------------------------

  // Probabilities and expectations of independent parts: both accepted, and the sum of their costs.
  struct Pair {
    Vector probability;
    Vector cost;
  };

  NETLEDGER_INLINE static void multiply(Pair& left, const Vector& probability, const Vector& cost) {
    left.cost = left.cost * probability + left.probability * cost;
    left.probability *= probability;
  }

  NETLEDGER_INLINE static void gather_scopes(Frame& frame) {
    for (const ExpectedScope& scope : frame.parts.scopes) {
      Vector* costs = frame.work + scope.costs;
      for (std::size_t entry = 0; entry < scope.entries; ++entry) {
        Vector sum = Vector{};
        if (!scope.constants.empty()) sum = Vector::of(scope.constants[entry]);
        for (const std::size_t index : scope.terms) {
          const ExpectedTerm& term = frame.parts.terms[index];
          sum += frame.work[term.sums[term.kept] + entry];
        }
        costs[entry] = sum;
        frame.work[scope.weights + entry] = Vector{};
      }
    }
  }

  NETLEDGER_INLINE static void cost_of(const Frame& frame, const ExpectedBucket& bucket,
                                       std::size_t combination, Vector& cost) {
    cost = Vector{};
    for (const ExpectedIndex& index : bucket.scopes) {
      const ExpectedScope& scope = frame.parts.scopes[index.of];
      cost += frame.work[scope.costs + index.entries[combination]];
    }
  }

  NETLEDGER_INLINE static void eliminate_one(Frame& frame, const ExpectedBucket& bucket) {
    const ExpectedVariable& variable = frame.parts.variables[bucket.variable];
    const Vector* probabilities = frame.probabilities + variable.column;
    Vector* message = frame.work + bucket.message;
    for (std::size_t entry = 0; entry < bucket.entries; ++entry) {
      Pair sum{};
      for (std::size_t code = 0; code < variable.size; ++code) {
        const std::size_t combination = entry * variable.size + code;
        if (bucket.accepted[combination] == 0) continue;
        Vector cost;
        cost_of(frame, bucket, combination, cost);
        Pair product{.probability = probabilities[code], .cost = probabilities[code] * cost};
        for (const ExpectedIndex& index : bucket.children) {
          const ExpectedBucket& child = frame.parts.buckets[index.of];
          const Vector* at = frame.work + child.message + index.entries[combination];
          multiply(product, at[0], at[child.entries]);
        }
        sum.probability += product.probability;
        sum.cost += product.cost;
      }
      message[entry] = sum.probability;
      message[bucket.entries + entry] = sum.cost;
      frame.work[bucket.weights + entry] = Vector{};
      frame.work[bucket.weights + bucket.entries + entry] = Vector{};
    }
  }

  NETLEDGER_INLINE static void eliminate_all(Frame& frame) {
    gather_scopes(frame);
    for (const ExpectedBucket& bucket : frame.parts.buckets) {
      eliminate_one(frame, bucket);
      if (!bucket.is_root) continue;
      const Vector probability = frame.work[bucket.message];
      const Vector quotient = frame.work[bucket.message + 1] / probability;
      lower_to_size(frame.acceptance, probability);
      frame.value += quotient;
      frame.work[bucket.weights] = (Vector{} - quotient) / probability;
      frame.work[bucket.weights + 1] = Vector::of(1) / probability;
    }
  }

  // What the value changes with one combination's probability, and with what its children say.
  NETLEDGER_INLINE static void differentiate_combination(Frame& frame, const ExpectedBucket& bucket,
                                                         std::size_t combination,
                                                         const Pair& weight, Vector& probability,
                                                         Vector& gradient) {
    Vector cost;
    cost_of(frame, bucket, combination, cost);
    Pair before{.probability = probability, .cost = probability * cost};
    Vector* products = frame.products;
    for (const ExpectedIndex& index : bucket.children) {
      const ExpectedBucket& child = frame.parts.buckets[index.of];
      const Vector* at = frame.work + child.message + index.entries[combination];
      products[0] = before.probability;
      products[1] = before.cost;
      products += 2;
      multiply(before, at[0], at[child.entries]);
    }
    Pair behind{.probability = Vector::of(1), .cost = Vector{}};
    for (std::size_t place = bucket.children.size(); place-- > 0;) {
      const ExpectedIndex& index = bucket.children[place];
      const ExpectedBucket& child = frame.parts.buckets[index.of];
      products -= 2;
      Pair others{.probability = products[0], .cost = products[1]};
      multiply(others, behind.probability, behind.cost);
      Vector* weights = frame.work + child.weights + index.entries[combination];
      weights[0] += weight.probability * others.probability + weight.cost * others.cost;
      weights[child.entries] += weight.cost * others.probability;
      const Vector* at = frame.work + child.message + index.entries[combination];
      multiply(behind, at[0], at[child.entries]);
    }
    gradient += weight.probability * behind.probability +
                weight.cost * (behind.cost + cost * behind.probability);
    const Vector weight_of_cost = weight.cost * probability * behind.probability;
    for (const ExpectedIndex& index : bucket.scopes) {
      const ExpectedScope& scope = frame.parts.scopes[index.of];
      frame.work[scope.weights + index.entries[combination]] += weight_of_cost;
    }
  }

  NETLEDGER_INLINE static void differentiate_buckets(Frame& frame) {
    for (std::size_t place = frame.parts.buckets.size(); place-- > 0;) {
      const ExpectedBucket& bucket = frame.parts.buckets[place];
      const ExpectedVariable& variable = frame.parts.variables[bucket.variable];
      const Vector* weights = frame.work + bucket.weights;
      for (std::size_t entry = 0; entry < bucket.entries; ++entry) {
        const Pair weight{.probability = weights[entry], .cost = weights[bucket.entries + entry]};
        for (std::size_t code = 0; code < variable.size; ++code) {
          const std::size_t combination = entry * variable.size + code;
          if (bucket.accepted[combination] == 0) continue;
          differentiate_combination(frame, bucket, combination, weight,
                                    frame.probabilities[variable.column + code],
                                    frame.gradients[variable.column + code]);
        }
      }
    }
  }

  NETLEDGER_INLINE static void weigh_terms(Frame& frame) {
    for (const ExpectedScope& scope : frame.parts.scopes) {
      for (const std::size_t index : scope.terms) {
        const ExpectedTerm& term = frame.parts.terms[index];
        for (std::size_t entry = 0; entry < scope.entries; ++entry) {
          frame.work[term.weights[term.kept] + entry] = frame.work[scope.weights + entry];
        }
      }
    }
  }

  // -- all of it
  // -----------------------------------------------------------------------------------

  NETLEDGER_INLINE static void find_gradients(Frame& frame) {
    for (std::size_t column = 0; column < frame.parts.columns; ++column) {
      frame.gradients[column] = Vector{};
    }
    if (frame.parts.conditional) {
      differentiate_buckets(frame);
      weigh_terms(frame);
    }
    differentiate_terms(frame);
    if (frame.scaled || frame.parts.conditional) share(frame);
    add_shared(frame);
  }

  NETLEDGER_INLINE static void store(const Vector& from, Lanes8& to) {
    *reinterpret_cast<Vector*>(&to) = from;
  }

  NETLEDGER_INLINE static void run(const ExpectationParts& parts, Lanes8* workspace, bool check,
                                   bool gradient, ExpectedLanes& lanes) {
    auto* work = reinterpret_cast<Vector*>(workspace);
    Frame frame{.parts = parts,
                .work = work,
                .probabilities = work,
                .gradients = work + parts.gradients,
                .masses = work + parts.masses,
                .shared = work + parts.shared,
                .products = work + parts.products,
                .scaled = check,
                .value = Vector{},
                .least = Vector{},
                .distance = Vector{},
                .finite = Vector{},
                .acceptance = Vector::of(1)};
    sum_masses(frame);
    scale_all(frame);
    contract_terms(frame);
    if (!frame.scaled && !parts.conditional) {
      sum_with_masses(frame);
    } else {
      sum_terms(frame);
    }
    if (parts.conditional) eliminate_all(frame);
    if (gradient) find_gradients(frame);
    Lanes8 least;
    Lanes8 distance;
    Lanes8 finite;
    Lanes8 acceptance;
    store(frame.value, lanes.values);
    store(frame.least, least);
    store(frame.distance, distance);
    store(frame.finite, finite);
    store(frame.acceptance, acceptance);
    for (std::size_t lane = 0; lane < Lanes8::count; ++lane) {
      const bool is_distribution =
          least.at[lane] >= 0 && distance.at[lane] <= Expectation::tolerance;
      lanes.are_valid[lane] = finite.at[lane] == 0 && (is_distribution || !check);
      lanes.are_accepted[lane] = acceptance.at[lane] >= least_acceptance;
    }
  }
};

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512vl,avx512dq,fma")]] void expect_avx512(const ExpectationParts& parts,
                                                                    Lanes8* workspace, bool check,
                                                                    bool gradient,
                                                                    ExpectedLanes& lanes) {
  Kernel<8>::run(parts, workspace, check, gradient, lanes);
}
[[gnu::target("avx2,fma")]] void expect_avx2(const ExpectationParts& parts, Lanes8* workspace,
                                             bool check, bool gradient, ExpectedLanes& lanes) {
  Kernel<4>::run(parts, workspace, check, gradient, lanes);
}
#endif

}  // namespace

void expect(const ExpectationParts& parts, Lanes8* workspace, bool check, bool gradient,
            ExpectedLanes& lanes) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    expect_avx512(parts, workspace, check, gradient, lanes);
    return;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    expect_avx2(parts, workspace, check, gradient, lanes);
    return;
  }
#endif
  Kernel<2>::run(parts, workspace, check, gradient, lanes);
}

}  // namespace netledger
