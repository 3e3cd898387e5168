// Purpose: the edits of a change as the text that the log keeps:
// [{"kind":"setting","id":"fleet hotword.threshold","before":0.5,"after":0.6}], absent for null.
// Owner: WriteConnection. Thread: its. Lifetime: the views are good until the next encode().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "hub/state/change.hpp"

namespace starling::hub::sqlite {

// Serialises each body once: the entity table is given a part of the log's text.
class EditsEncoder {
 public:
  void encode(const std::vector<Edit>& edits);

  std::string_view text() const { return text_; }
  // The body that edit `index` leaves behind; empty: it removes the entity.
  std::string_view after(std::size_t index) const {
    return std::string_view(text_).substr(after_[index].begin, after_[index].size);
  }

 private:
  struct Part {
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  template <typename Value>
  void append_json(const Value& value);

  std::string text_;
  std::vector<Part> after_;
};

// Errors of both: corrupted.
Result<std::vector<Edit>> decode_edits(std::string_view text);
// Parses what the store wrote itself: no limit but one on the depth.
Result<Json> decode_body(std::string_view text);

}  // namespace starling::hub::sqlite
