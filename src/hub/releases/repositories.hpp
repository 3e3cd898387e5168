// Purpose: the releases of all fleets: what is published, as anybody may read it at any time, and one worker
// for what blocks. Signs anew what will expire.
// Owner: Server. Thread: the hub's; the repositories belong to the worker, and completions come back through
// the Executor. Lifetime: the Executor and Clock outlive it; destroyed before the io_context ends.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/executor.hpp"
#include "hub/releases/encodings.hpp"
#include "hub/releases/repository.hpp"
#include "hub/releases/zip_shelf.hpp"

namespace starling::hub {

class Repositories {
 public:
  static constexpr std::size_t max_waiting = 64;  // of what is asked of the worker

  Repositories(std::filesystem::path data, bool online_targets, Executor& executor, const Clock& clock,
               Logger logger);

  // At a start: the repositories of these fleets that exist, with signatures that hold. Blocks. Errors:
  // those of Repository::open.
  Result<void> open(const std::vector<std::string>& fleets);

  // nullptr: the fleet has none yet.
  SharedView view(std::string_view fleet) const;
  bool online_targets() const { return online_targets_; }
  std::filesystem::path folder(std::string_view fleet) const { return data_ / "releases" / fleet; }
  // Where uploads of a fleet go; its repository is made if there is none. Errors: those of base/files.
  Result<std::filesystem::path> uploads(std::string_view fleet) const;

  // `work` on the worker, on the fleet's repository, which is made if there is none; then `done` on the hub's
  // thread, when view() shows what came of it. Called exactly once, unless the hub has ended. Errors:
  // unavailable (too much waits, or it was stopped), those of the work.
  using Work = std::function<Result<void>(Repository& repository)>;
  using Done = std::function<void(Result<void>)>;
  enum class Wait { if_room, in_any_case };  // that of a finished upload: there are few, and much has come
  void perform(std::string fleet, Work work, Done done, Wait wait = Wait::if_room);
  Result<void> check_room() const;  // Errors: unavailable (too much waits)

  // What has begun is done, and what waits is answered: nobody who awaits it holds up the hub's end.
  void stop();

  ZipShelf& zips() { return zips_; }
  Encodings& encodings() { return encodings_; }

  void tick();  // every second

 private:
  void enqueue(std::string fleet, Work work, Done done);
  Result<Repository*> repository(const std::string& fleet);
  void renew(const std::string& fleet);
  void say_alerts(const std::string& fleet, const RepositoryView& view) const;

  const std::filesystem::path data_;
  const bool online_targets_;
  Executor& executor_;
  const Clock& clock_;
  Logger logger_;
  std::map<std::string, SharedView, std::less<>> views_;
  ZipShelf zips_;
  Encodings encodings_;
  SteadyTime next_look_{};
  SteadyTime next_alert_{};

  std::size_t waiting_ = 0;
  std::stop_source stopping_;
  std::map<std::string, Repository, std::less<>> repositories_;  // the worker's, once there is work
  boost::asio::thread_pool worker_{1};                           // ends first
};

}  // namespace starling::hub
