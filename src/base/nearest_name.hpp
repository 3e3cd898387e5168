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
  // Empty if nothing is near.
  std::string_view name() const { return nearest_; }
  // "; did you mean hotword?", or likewise.
  std::string hint() const;

 private:
  std::string_view typed_, nearest_;
  std::size_t best_;  // fewer edits than this are near
};

}  // namespace starling
