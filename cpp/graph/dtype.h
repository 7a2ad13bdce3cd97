// The element types of tensors and their sizes in bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace netledger {

struct DType {
  std::string_view name;
  std::int64_t itemsize;
};

inline constexpr std::array dtypes = {
    DType{"float32", 4},     DType{"float64", 8},         DType{"float16", 2},
    DType{"bfloat16", 2},    DType{"float8_e4m3fn", 1},   DType{"float8_e4m3fnuz", 1},
    DType{"float8_e5m2", 1}, DType{"float8_e5m2fnuz", 1}, DType{"float8_e8m0fnu", 1},
    DType{"complex32", 4},   DType{"complex64", 8},       DType{"complex128", 16},
    DType{"int64", 8},       DType{"int32", 4},           DType{"int16", 2},
    DType{"int8", 1},        DType{"uint8", 1},           DType{"uint16", 2},
    DType{"uint32", 4},      DType{"uint64", 8},          DType{"bool", 1},
};

// Index into `dtypes`.
using DTypeIndex = std::uint8_t;
inline constexpr DTypeIndex float32 = 0;

[[nodiscard]] constexpr std::optional<DTypeIndex> find_dtype(std::string_view name) {
  for (std::size_t index = 0; index < dtypes.size(); ++index) {
    if (dtypes[index].name == name) return static_cast<DTypeIndex>(index);
  }
  return std::nullopt;
}

}  // namespace netledger
