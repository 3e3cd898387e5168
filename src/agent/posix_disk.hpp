// Purpose: the state folder of a real device.
// Owner: main(). Thread: one. Lifetime: outlives the cores.
#pragma once

#include <filesystem>

#include "agent/disk.hpp"

namespace starling::agent {

class PosixDisk final : public Disk {
 public:
  explicit PosixDisk(std::filesystem::path root) : root_(std::move(root)) {}

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
  std::filesystem::path at(std::string_view path) const { return path.empty() ? root_ : root_ / path; }
  std::filesystem::path root_;
};

}  // namespace starling::agent
