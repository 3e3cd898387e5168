// Purpose: the files of assets on the hub's disk, each once, named by its hash; and one worker for what
// blocks. Owner: Server or a test. Thread: the hub's; completions come back through the Executor. Lifetime:
// the Executor outlives it; destroyed before the io_context ends.
//
//   assets/FLEET/<sha256>          a file, never changed
//   assets/FLEET/uploads/*.part    what is still coming; thrown away at a start
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "hub/executor.hpp"
#include "hub/releases/upload.hpp"
#include "protocol/asset_file.hpp"

namespace starling::hub {

class AssetFiles {
 public:
  static constexpr Upload::Kind kind{"asset", "an asset has at most 256 MB", protocol::max_asset_bytes};

  AssetFiles(std::filesystem::path data, Executor& executor) : data_(std::move(data)), executor_(executor) {}
  ~AssetFiles();

  // At a start. Blocks.
  void forget_uploads(const std::vector<std::string>& fleets) const;

  // Errors: those of Upload::begin, unavailable (too many at once).
  Result<std::shared_ptr<Upload>> begin(std::string_view fleet, std::string sha256, std::uint64_t announced);
  // Gives a finished upload its name. Errors: io.
  using Done = std::function<void(Result<void>)>;
  void keep(const std::string& fleet, std::shared_ptr<Upload> upload, Done done);

  std::filesystem::path path(std::string_view fleet, const Digest& file) const;
  bool has(std::string_view fleet, const Digest& file) const;

  // While one lives the file is not collected, whatever the log says.
  using Hold = std::shared_ptr<const Digest>;
  Hold hold(const std::string& fleet, const Digest& file);
  // Removes what is neither in `needed` nor held. `done` says how many files.
  using Collected = std::function<void(std::size_t)>;
  void collect(const std::string& fleet, std::set<Digest> needed, Collected done);

 private:
  std::filesystem::path folder(std::string_view fleet) const { return data_ / "assets" / fleet; }

  const std::filesystem::path data_;
  Executor& executor_;
  std::vector<std::weak_ptr<Upload>> uploads_;
  std::map<std::string, std::vector<std::weak_ptr<const Digest>>, std::less<>> held_;  // by fleet
  boost::asio::thread_pool worker_{1};
};

}  // namespace starling::hub
