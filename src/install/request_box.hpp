// Purpose: where the agent leaves its request, `install/request.json` in its state folder. That folder is the
// agent's user's, who may put anything there: links are not followed, and what is no plain file of that
// user's is not read. The request is also the journal: it goes when it is answered. Owner: main(). Thread:
// one. Lifetime: one look.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace starling::install {

class RequestBox {
 public:
  static constexpr const char* folder = "install";
  static constexpr const char* name = "request.json";

  // Errors: not_found (there is none), io.
  static Result<RequestBox> open(const std::filesystem::path& state);

  // None: there is no request. Errors: invalid_argument (it is none to be read, and is gone), io.
  Result<std::optional<std::string>> read();
  // Unless it has become another.
  Result<void> remove(const std::string& text);

 private:
  explicit RequestBox(FileDescriptor box) : box_(std::move(box)) {}
  Result<void> unlink();

  FileDescriptor box_;
};

}  // namespace starling::install
