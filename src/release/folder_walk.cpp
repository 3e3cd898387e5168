#include "release/folder_walk.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace starling::release {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const fs::path& path, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                         : error == EACCES || error == EPERM ? ErrorCode::permission_denied
                                                             : ErrorCode::io;
  return fail(code, fmt::format("reading {}: {}", path.string(), std::generic_category().message(error)));
}

std::unexpected<Error> refused(const std::string& path, std::string_view why) {
  return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", path, why));
}

bool is_cache(const fs::path& name) {
  return name == ".git" || name == "__pycache__";
}

std::string_view what_it_is(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket cannot be in a release";
  if (S_ISFIFO(mode)) return "a pipe cannot be in a release";
  return "a device cannot be in a release";
}

class Walker {
 public:
  explicit Walker(LeaveOut leave_out) : leave_out_(leave_out) {}

  Result<void> walk(const fs::path& folder, const std::string& prefix) {
    std::error_code error;
    fs::directory_iterator item(folder, error);
    if (error) return failed(folder, error.value());
    for (; item != fs::directory_iterator(); item.increment(error)) {
      if (auto taken = take(item->path(), prefix + "/" + item->path().filename().string()); !taken)
        return taken;
      if (walk_.found.size() > max_entries)
        return fail(ErrorCode::too_large, fmt::format("a release holds at most {} files", max_entries));
    }
    if (error) return failed(folder, error.value());
    return {};
  }

  Walk finish() {
    std::ranges::sort(walk_.found, {},
                      [](const FoundEntry& found) -> const std::string& { return found.entry.path; });
    std::ranges::sort(walk_.left_out);
    return std::move(walk_);
  }

 private:
  Result<void> take(const fs::path& source, std::string path) {
    if (auto checked = check_path(path); !checked) return checked;
    struct stat status {};
    if (::lstat(source.c_str(), &status) != 0) return failed(source, errno);
    if (S_ISDIR(status.st_mode) && leave_out_ == LeaveOut::caches && is_cache(source.filename())) {
      walk_.left_out.push_back(std::move(path));
      return {};
    }
    Entry entry{.path = std::move(path)};
    if (S_ISREG(status.st_mode)) {
      if ((status.st_mode & (S_ISUID | S_ISGID)) != 0)
        return refused(entry.path, "set-user-ID and set-group-ID programs cannot be in a release");
      entry.executable = (status.st_mode & S_IXUSR) != 0;
      entry.size = static_cast<std::uint64_t>(status.st_size);
    } else if (S_ISLNK(status.st_mode)) {
      std::error_code error;
      entry.kind = Entry::Kind::link;
      entry.target = fs::read_symlink(source, error).string();
      if (error) return failed(source, error.value());
    } else if (S_ISDIR(status.st_mode)) {
      entry.kind = Entry::Kind::folder;
    } else {
      return refused(entry.path, what_it_is(status.st_mode));
    }
    walk_.found.push_back({entry, source});
    return entry.kind == Entry::Kind::folder ? walk(source, entry.path) : Result<void>{};
  }

  LeaveOut leave_out_;
  Walk walk_;
};

}  // namespace

Result<Walk> walk_folder(const fs::path& folder, std::string_view prefix, LeaveOut leave_out) {
  Walker walker(leave_out);
  if (auto walked = walker.walk(folder, std::string(prefix)); !walked) return fail(walked);
  return walker.finish();
}

}  // namespace starling::release
