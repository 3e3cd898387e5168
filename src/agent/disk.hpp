// Purpose: the few durable file operations that the device's state is made of. Each changing one is a single
// persistence step: a pulled plug may fall between any two of them, and the simulator makes it do so.
// Owner: main() or the simulator. Thread: one. Lifetime: outlives the cores.
//
// Paths are relative to the device's state folder, with '/'; "" is the folder itself. A new, renamed or
// removed name is durable only after sync_folder() of the folder that holds it; a file's content after
// write_file(), or after sync_file(). Errors of all: not_found, permission_denied, too_large, corrupted (the
// medium cannot be read), unavailable (the disk is full), io.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::agent {

// Until what the disk did not take, being full as an example, is tried again.
inline constexpr Milliseconds disk_retry{30'000};

// What is read or written in one piece of a long file.
inline constexpr std::size_t bytes_at_once = 256u << 10;

class Disk {
 public:
  virtual ~Disk() = default;

  virtual Result<std::string> read_file(std::string_view path, std::size_t max_bytes) = 0;
  virtual Result<std::string> read_link(std::string_view path) = 0;
  virtual Result<std::vector<std::string>> list(std::string_view folder) = 0;  // names, sorted
  // Shorter than `max_bytes` only at the end of the file.
  virtual Result<std::string> read_part(std::string_view path, std::uint64_t offset,
                                        std::size_t max_bytes) = 0;
  struct Status {
    enum class Kind { file, folder, link, other };
    Kind kind = Kind::other;
    unsigned mode = 0;  // permission bits
    std::uint64_t size = 0;
  };
  virtual Result<Status> status(std::string_view path) = 0;  // of a link: its own
  virtual Result<std::uint64_t> free_bytes() = 0;

  // Creates or replaces in place, and fsyncs the content. Torn by a crash in the middle of it.
  virtual Result<void> write_file(std::string_view path, std::string_view content, unsigned mode) = 0;
  // Adds to the end of a file that may be missing. What is not synced may be lost by a crash, or be zeros.
  virtual Result<void> append(std::string_view path, std::string_view content, unsigned mode) = 0;
  virtual Result<void> sync_file(std::string_view path) = 0;
  virtual Result<void> make_folder(std::string_view path) = 0;  // existing is fine; its parent exists
  virtual Result<void> make_link(std::string_view target, std::string_view path) = 0;
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;  // replaces `to` atomically
  virtual Result<void> remove_tree(std::string_view path) = 0;                  // absent is fine
  virtual Result<void> sync_folder(std::string_view path) = 0;
};

// Afterwards either the old or the new content is there, whatever happens: write `<path>.new`, rename, sync.
Result<void> replace_file(Disk& disk, std::string_view path, std::string_view content, unsigned mode = 0644);
// The same for a symbolic link.
Result<void> replace_link(Disk& disk, std::string_view path, std::string_view target);

// Whether an error of reading and parsing a file says that its content is lost, rather than that it cannot be
// read at the moment (no descriptors, no permission): only then may something else be used instead.
bool is_damage(const Error& error);

// The folder part of a path: "generations" of "generations/7", "" of "current".
std::string_view folder_of(std::string_view path);

}  // namespace starling::agent
