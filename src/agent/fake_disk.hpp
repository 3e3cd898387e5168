// Purpose: a state folder in memory that loses power on command, for the fleet simulator and the tests.
// Owner: the simulator or a test. Thread: one. Lifetime: longer than the device that it belongs to: it is
// what a crash leaves behind.
//
// Names are journalled like a file system's: a change of names survives a crash for certain only after
// sync_folder() of its folder, else by the throw of a seeded die, change by change; so does what was appended
// and not synced, or it is zeros. A crash inside a write leaves a torn file, one inside remove_tree() a part
// of the tree.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
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
    crash_when_full_ = false;
  }
  bool crashed() const { return crashed_; }
  std::uint64_t steps() const { return steps_; }  // changing operations so far

  // Every operation on this path fails with this error, until it is mended.
  void make_fail(std::string path, ErrorCode code) { failing_ = {std::move(path), code}; }
  void mend() { failing_.reset(); }

  // From the `writes`-th operation from now on that needs room (0: already), all of them fail, writes in
  // their middle.
  void full_after(std::uint64_t writes) { full_at_ = writes_ + writes; }
  void crash_when_full() { crash_when_full_ = true; }  // at the next changing operation then
  void make_room() { full_at_.reset(); }
  bool is_full() const { return full_at_ && writes_ >= *full_at_; }
  std::uint64_t writes() const { return writes_; }                           // that needed room, so far
  const std::set<std::string>& lacked_room() const { return lacked_room_; }  // paths
  void set_free_bytes(std::uint64_t bytes) { free_bytes_ = bytes; }

  // Tampering from outside, durable at once.
  void put(std::string_view path, std::string_view content);
  std::optional<std::string> content(std::string_view path) const;  // follows no links

  Result<std::string> read_file(std::string_view path, std::size_t max_bytes) override;
  Result<std::string> read_link(std::string_view path) override;
  Result<std::vector<std::string>> list(std::string_view folder) override;
  Result<std::string> read_part(std::string_view path, std::uint64_t offset, std::size_t max_bytes) override;
  Result<Status> status(std::string_view path) override;
  Result<std::uint64_t> free_bytes() override;
  Result<void> write_file(std::string_view path, std::string_view content, unsigned mode) override;
  Result<void> append(std::string_view path, std::string_view content, unsigned mode) override;
  Result<void> sync_file(std::string_view path) override;
  Result<void> make_folder(std::string_view path) override;
  Result<void> make_link(std::string_view target, std::string_view path) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove_tree(std::string_view path) override;
  Result<void> sync_folder(std::string_view path) override;

 private:
  using Kind = Status::Kind;
  struct Node {
    Kind kind = Kind::file;
    std::string content;  // of a file, or a link's target
    unsigned mode = 0;
    std::size_t unsynced_bytes = 0;  // at the end of it
  };
  using Names = std::map<std::string, std::shared_ptr<Node>, std::less<>>;  // path → node
  struct NameChange {
    std::string folder;                 // whose sync makes it durable
    std::string removed;                // path, with all below it; empty: none
    std::string added;                  // path; empty: none
    Names nodes;                        // what `added` holds, by path
    std::vector<std::string> replaced;  // what else was there under `added`
  };

  Result<void> check(std::string_view path) const;
  Result<void> begin_step(std::string_view path);
  bool crashes_next() const {
    return !crashed_ && (steps_ + 1 == crash_at_ || (crash_when_full_ && is_full()));
  }
  bool has_room() { return ++writes_, !is_full(); }
  std::unexpected<Error> no_room(std::string_view path);
  std::string_view part_of(std::string_view content) {
    return content.substr(0, random_() % (content.size() + 1));
  }
  void put_node(std::string_view path, std::shared_ptr<Node> node);
  void remove_partly(std::string_view path);
  void lose_content(Node& node);
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
  std::uint64_t writes_ = 0;
  std::optional<std::uint64_t> full_at_;
  bool crash_when_full_ = false;
  std::set<std::string> lacked_room_;
  std::uint64_t free_bytes_ = std::uint64_t{1} << 30;
  bool crashed_ = false;
  std::optional<std::pair<std::string, ErrorCode>> failing_;
};

}  // namespace starling::agent
