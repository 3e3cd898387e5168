// Purpose: files that survive a pulled plug. Every function is blocking.
// Owner: none. Thread: any, but never one that serves sockets with large files. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace starling {

// Errors of all: not_found, permission_denied, too_large, io. Messages name the path and errno's text.

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes);
// In a folder in which others write: what is no file, such as a pipe that nobody writes into, is not waited
// for, and the message says what to do. Errors besides: invalid_argument.
Result<std::string> read_foreign_file(const std::filesystem::path& path, std::size_t max_bytes);

// What is in a folder, by name.
Result<std::vector<std::filesystem::path>> list_folder(const std::filesystem::path& path);

// Writes `<path>.tmp`, fsyncs it, renames it over `path`, fsyncs the folder: afterwards either the old or the
// new content is there, whatever happens. `mode` is set before any byte is written.
Result<void> write_file_durably(const std::filesystem::path& path, std::string_view content,
                                unsigned mode = 0644);

Result<void> make_folders(const std::filesystem::path& path, unsigned mode = 0755);
Result<void> fsync_folder(const std::filesystem::path& path);
// For a file that somebody else wrote.
Result<void> fsync_file(const std::filesystem::path& path);

// Holds an advisory lock on a file for as long as it lives, so that two processes never share a folder.
class FileLock {
 public:
  // failed_precondition if another process holds it.
  static Result<FileLock> acquire(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace starling
