// Purpose: finds what somebody meant by a mistyped name. Owner: values, for one question. Thread: any.
// Lifetime: the names that it considers outlive it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace starling {

class NearestName {
 public:
  explicit NearestName(std::string_view typed);
  void consider(std::string_view name);
  // "; did you mean hotword?", or empty if nothing is near.
  std::string hint() const;

 private:
  std::string_view typed_, nearest_;
  std::size_t best_;  // fewer changes than this are near
};

}  // namespace starling
