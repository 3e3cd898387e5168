// starling-tuf: the agent's TUF client as a program, to look at any TUF repository with it and to hold it
// against the public conformance suite, whose client protocol its options are.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <string>
#include <vector>

#include "agent/posix_disk.hpp"
#include "agent/update/http_fetcher.hpp"
#include "agent/update/tuf_client.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"

namespace {

using namespace starling;
using namespace starling::agent;

struct Wishes {
  std::string metadata_folder, metadata_url, trusted_root, target_folder, target_url;
  std::vector<std::string> pins, targets;
};

Result<void> init(const Wishes& wishes) {
  const Result<std::string> root = read_file(wishes.trusted_root, protocol::tuf::max_root_bytes);
  if (!root) return fail(root);
  if (auto made = make_folders(wishes.metadata_folder); !made) return made;
  PosixDisk disk(wishes.metadata_folder);
  return TufClient::trust(disk, "", *root);
}

// One run over the network: the metadata, and the targets if any are wished for.
class Run {
 public:
  Run(const Wishes& wishes, boost::asio::any_io_executor executor, const http::Url& metadata,
      const http::Url& targets)
      : wishes_(wishes),
        disk_(wishes.metadata_folder),
        target_disk_(wishes.target_folder),
        metadata_(executor, metadata, {wishes.pins}),
        targets_(executor, targets, {wishes.pins}),
        client_(disk_, "", metadata_) {}

  boost::asio::awaitable<Result<void>> all() {
    if (auto refreshed = co_await client_.refresh(SystemClock().wall()); !refreshed) co_return refreshed;
    for (const std::string& path : wishes_.targets) {
      if (auto downloaded = co_await download(path); !downloaded) co_return downloaded;
    }
    co_return Result<void>();
  }

 private:
  boost::asio::awaitable<Result<void>> download(const std::string& path) {
    Result<protocol::tuf::TargetFile> target = co_await client_.find(path);
    if (!target) co_return fail(target);
    // One flat name for each path: nothing in it can lead out of the folder.
    std::string to = http::percent_encode(path);
    co_return co_await client_.download(path, *target, targets_, target_disk_, std::move(to));
  }

  const Wishes& wishes_;
  PosixDisk disk_, target_disk_;
  HttpFetcher metadata_, targets_;
  TufClient client_;
};

Result<void> run(const Wishes& wishes) {
  const Result<http::Url> metadata = http::Url::parse(wishes.metadata_url);
  if (!metadata) return fail(metadata, "--metadata-url");
  const Result<http::Url> targets =
      http::Url::parse(wishes.targets.empty() ? wishes.metadata_url : wishes.target_url);
  if (!targets) return fail(targets, "--target-base-url");
  boost::asio::io_context context(1);
  Run run(wishes, context.get_executor(), *metadata, *targets);
  auto result = boost::asio::co_spawn(context, run.all(), boost::asio::use_future);
  context.run();
  return result.get();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Follows a TUF repository: keeps its metadata up to date and downloads what it signs.",
               "starling-tuf");
  Wishes wishes;
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--metadata-dir", wishes.metadata_folder, "Where trusted metadata is kept")->required();
  app.add_option("--metadata-url", wishes.metadata_url, "Where the repository's metadata is");
  app.add_option("--target-base-url", wishes.target_url, "Where the repository's targets are");
  app.add_option("--target-dir", wishes.target_folder,
                 "Where downloaded targets are put, under their percent-encoded paths");
  app.add_option("--target-name", wishes.targets, "The path of a target; may be given several times")
      ->allow_extra_args(false);
  app.add_option("--pin", wishes.pins,
                 "The server's pin, sha256/..., instead of the system's authorities; may be given twice")
      ->allow_extra_args(false);
  CLI::App* init_command = app.add_subcommand("init", "Begin to trust a root.json that came from elsewhere");
  init_command->add_option("TRUSTED_ROOT", wishes.trusted_root, "The file")->required();
  CLI::App* refresh_command = app.add_subcommand("refresh", "Bring the metadata up to date");
  CLI::App* download_command =
      app.add_subcommand("download", "Bring the metadata up to date and download the named targets");
  try {
    app.parse(argc, argv);
    if (!init_command->parsed() && wishes.metadata_url.empty()) throw CLI::RequiredError("--metadata-url");
    if (refresh_command->parsed()) wishes.targets.clear();
    if (download_command->parsed() &&
        (wishes.targets.empty() || wishes.target_url.empty() || wishes.target_folder.empty())) {
      throw CLI::RequiredError("--target-name, --target-base-url and --target-dir");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Result<void> done = init_command->parsed() ? init(wishes) : run(wishes);
  if (done) return 0;
  fmt::print(stderr, "starling-tuf: {} ({})\n", done.error().message, to_string(done.error().code));
  return 1;
}
