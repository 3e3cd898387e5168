// Purpose: how far the log of a module has been shown, so that who begins to read it again shows no line
// twice and leaves none out. Owner: the command. Thread: one. Lifetime: the command's.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "base/json.hpp"

namespace starling::cli {

class LogPlace {
 public:
  using Lines = std::vector<JsonObject>;

  // A line has come. Gives what is to be shown now: nothing of what was shown before.
  Lines take(JsonObject line);
  // The newest lines come once more, and then those that follow them.
  void begin_again();
  bool is_known() const { return !searching_; }

  // The line that was shown last does not come: a device that lost its power may have lost it. Gives what
  // comes after the newest one that did come; all of it, if none did: then lines may be missing.
  struct Settled {
    Lines lines;
    bool may_miss = false;
  };
  Settled settle();

 private:
  bool ends_at(std::size_t end, std::size_t unseen) const;
  Lines show_from(std::size_t begin);

  std::deque<JsonObject> shown_;  // the newest of them
  Lines unplaced_;                // that came since begin_again()
  bool searching_ = false;
};

}  // namespace starling::cli
