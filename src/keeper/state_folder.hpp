// Purpose: the keeper's folder, which it shares with no other keeper, and what lies where in it.
// Owner: Keeper. Thread: main. Lifetime: the lock is held as long as this lives.
#pragma once

#include <string>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace starling::keeper {

class StateFolder {
 public:
  // Makes it if it is missing. Errors: failed_precondition (another keeper has it), io.
  static Result<StateFolder> take(const std::string& folder);

  // Absolute paths: they are told to processes that run elsewhere.
  std::string socket() const { return path_ + "/keeper.sock"; }
  std::string counts() const { return path_ + "/keeper.state"; }
  std::string notify() const { return path_ + "/notify"; }

 private:
  StateFolder(std::string path, FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  FileDescriptor lock_;
};

}  // namespace starling::keeper
