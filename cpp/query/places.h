// Places: the memory of a table. New ones are left as they are, to be written by the threads that
// fill them.
#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace netledger {

template <class Value>
struct Unset : std::allocator<Value> {
  template <class Other>
  // NOLINTNEXTLINE(readability-identifier-naming): so allocators call it.
  struct rebind {
    using other = Unset<Other>;
  };
  template <class Other>
  void construct(Other* place) noexcept {
    ::new (static_cast<void*>(place)) Other;
  }
  template <class Other, class... Arguments>
  void construct(Other* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) Other(std::forward<Arguments>(arguments)...);
  }
};

template <class Value>
using Places = std::vector<Value, Unset<Value>>;

}  // namespace netledger
