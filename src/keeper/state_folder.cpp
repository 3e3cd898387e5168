#include "keeper/state_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace starling::keeper {
namespace {

struct FreedByC {
  void operator()(char* text) const { ::free(text); }
};

std::unexpected<Error> failed(const std::string& doing) {
  const int error = errno;
  const bool wrongly_given =
      error == ENOENT || error == ENOTDIR || error == EACCES || error == ENAMETOOLONG || error == ELOOP;
  return fail(wrongly_given ? ErrorCode::invalid_argument : ErrorCode::io,
              doing + ": " + std::strerror(error));
}

// Gives its absolute path.
Result<std::string> make_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return failed("making the folder " + folder);
  const std::unique_ptr<char, FreedByC> path(::realpath(folder.c_str(), nullptr));
  if (!path) return failed("looking for the folder " + folder);
  return std::string(path.get());
}

}  // namespace

Result<StateFolder> StateFolder::take(const std::string& folder) {
  Result<std::string> path = make_folder(folder);
  if (!path) return fail(path);
  const std::string lock_path = *path + "/keeper.lock";
  FileDescriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return failed("opening " + lock_path);
  if (::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::failed_precondition, "another keeper runs in " + *path + ": stop that one first");
  }
  StateFolder state(std::move(*path), std::move(lock));
  if (const auto notify = make_folder(state.notify()); !notify) return fail(notify);
  return state;
}

}  // namespace starling::keeper
