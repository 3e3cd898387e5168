// Purpose: lets a unique_ptr free what a C library made with that library's own function.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

namespace starling {

template <auto Free>
struct FreedBy {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace starling
