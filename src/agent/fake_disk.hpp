// Purpose: a state folder in memory that loses power on command, for the fleet simulator and the tests.
// Owner: the simulator or a test. Thread: one. Lifetime: longer than the device that it belongs to: it is
// what a crash leaves behind.
//
// Names are journalled like a file system's: a change of names survives a crash for certain only after
// sync_folder() of its folder, else by the throw of a seeded die, change by change. A crash inside write_file
// leaves a torn file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "agent/disk.hpp"

namespace starling::agent {

class FakeDisk final : public Disk {
 public:
  // What becomes of names that were changed and not synced.
  enum class Unsynced { lost, kept, drawn };

  explicit FakeDisk(std::uint64_t seed = 1, Unsynced unsynced = Unsynced::drawn)
      : random_(seed), unsynced_(unsynced) {}

  // Power fails at the beginning of the `steps`-th changing operation from now (1: the next), in the middle
  // of it if it is a write. From then on every operation fails with `io`, until restore_power().
  void crash_after(std::uint64_t steps) { crash_at_ = steps_ + steps; }
  void crash_now();
  void restore_power() {
    crashed_ = false;
    crash_at_.reset();
  }
  bool crashed() const { return crashed_; }
  std::uint64_t steps() const { return steps_; }  // changing operations so far

  // Every operation on this path fails with this error, until it is mended.
  void make_fail(std::string path, ErrorCode code) { failing_ = {std::move(path), code}; }
  void mend() { failing_.reset(); }

  // Tampering from outside, durable at once.
  void put(std::string_view path, std::string_view content);
  std::optional<std::string> content(std::string_view path) const;  // follows no links

  Result<std::string> read_file(std::string_view path, std::size_t max_bytes) override;
  Result<std::string> read_link(std::string_view path) override;
  Result<std::vector<std::string>> list(std::string_view folder) override;
  Result<void> write_file(std::string_view path, std::string_view content, unsigned mode) override;
  Result<void> make_folder(std::string_view path) override;
  Result<void> make_link(std::string_view target, std::string_view path) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove_tree(std::string_view path) override;
  Result<void> sync_folder(std::string_view path) override;

 private:
  enum class Kind { file, folder, link };
  struct Node {
    Kind kind = Kind::file;
    std::string content;  // of a file, or a link's target
  };
  using Names = std::map<std::string, std::shared_ptr<Node>, std::less<>>;  // path → node
  struct NameChange {
    std::string folder;   // whose sync makes it durable
    std::string removed;  // path, with all below it; empty: none
    std::string added;    // path; empty: none
    Names nodes;          // what `added` holds, by path
  };

  Result<void> check(std::string_view path) const;
  Result<void> begin_step(std::string_view path);
  void record(NameChange change);
  static void apply(Names& names, const NameChange& change);
  static Names subtree(const Names& names, std::string_view path);
  static void erase_subtree(Names& names, std::string_view path);

  std::mt19937_64 random_;
  Unsynced unsynced_;
  Names now_;
  Names durable_;
  std::vector<NameChange> unsynced_changes_;
  std::uint64_t steps_ = 0;
  std::optional<std::uint64_t> crash_at_;
  bool crashed_ = false;
  std::optional<std::pair<std::string, ErrorCode>> failing_;
};

}  // namespace starling::agent
