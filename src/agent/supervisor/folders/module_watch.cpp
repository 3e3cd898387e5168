#include "agent/supervisor/folders/module_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/supervisor/folders/module_folder.hpp"
#include "base/tuple_awaitable.hpp"

namespace starling::agent {
namespace {

constexpr std::uint32_t of_modules = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
constexpr std::uint32_t of_files =
    IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
constexpr std::chrono::milliseconds between_looks{250};

}  // namespace

struct ModuleWatch::Watch {
  Watch(const asio::any_io_executor& executor, int handle) : descriptor(executor, handle), pause(executor) {}
  asio::posix::stream_descriptor descriptor;
  asio::steady_timer pause;
};

ModuleWatch::ModuleWatch(const asio::any_io_executor& executor, Changed changed, Logger log)
    : executor_(executor), changed_(std::move(changed)), log_(log), tasks_(executor, log) {}

ModuleWatch::~ModuleWatch() = default;

Result<void> ModuleWatch::open(const std::filesystem::path& modules_folder) {
  const int handle = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (handle < 0) return fail(ErrorCode::io, std::string("inotify: ") + std::strerror(errno));
  watch_ = std::make_unique<Watch>(executor_, handle);
  folder_ = std::filesystem::absolute(modules_folder);
  if (!folder_.has_filename()) folder_ = folder_.parent_path();
  watch_above();
  folder_watch_ = add_watch(folder_, of_modules);
  const int number = errno;
  const bool comes_later = number == ENOENT && above_watch_ >= 0;
  if (folder_watch_ < 0 && !comes_later) {
    watch_.reset();
    return fail(ErrorCode::io, "watching " + folder_.string() + ": " + std::strerror(number));
  }
  std::set<std::string> found;
  watch_all(found);
  return {};
}

void ModuleWatch::start() {
  if (watch_) tasks_.start("module watch", run());
}

asio::awaitable<void> ModuleWatch::stop() {
  co_await tasks_.stop();
  watch_.reset();
}

int ModuleWatch::add_watch(const std::filesystem::path& folder, std::uint32_t mask) const {
  return ::inotify_add_watch(watch_->descriptor.native_handle(), folder.c_str(), mask);
}

// The nearest folder above that is there: what is made in it may be the way down. What is made meanwhile is
// seen by the next round.
void ModuleWatch::watch_above() {
  for (int former = -2; former != above_watch_;) {
    former = above_watch_;
    std::filesystem::path way = folder_;
    do {
      awaited_ = way.filename();
      way = way.parent_path();
      above_watch_ = add_watch(way, of_modules);
    } while (above_watch_ < 0 && errno == ENOENT && way.has_relative_path());
    const bool turned = former >= 0 && former != above_watch_;
    if (turned) ::inotify_rm_watch(watch_->descriptor.native_handle(), former);
  }
}

void ModuleWatch::watch_all(std::set<std::string>& found) {
  std::size_t count = 0;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder_, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || count == 4 * max_modules) continue;
    ++count;
    watch_module(name);
    found.insert(name);
  }
}

void ModuleWatch::watch_module(const std::string& name) {
  if (!valid_module_name(name)) return;
  const int number = add_watch(folder_ / name, of_files);  // the same folder again is the same watch
  if (number >= 0 && (modules_.size() < 2 * max_modules || modules_.contains(number))) {
    modules_[number] = name;
  } else if (number < 0 && errno == ENOSPC) {
    log_.warning("a module's folder is not watched: raise fs.inotify.max_user_watches", {{"module", name}});
  }
}

// Whatever is at the folder's place now; every module that was or is there may have changed.
void ModuleWatch::watch_anew(std::set<std::string>& changed) {
  for (const auto& [number, module] : modules_)
    changed.insert(module);
  watch_above();
  if (const int number = add_watch(folder_, of_modules); number != folder_watch_) {
    const int inotify = watch_->descriptor.native_handle();
    for (const auto& [former, module] : std::exchange(modules_, {}))
      ::inotify_rm_watch(inotify, former);
    ::inotify_rm_watch(inotify, std::exchange(folder_watch_, number));
  }
  watch_all(changed);
}

void ModuleWatch::take(int watch, std::uint32_t mask, std::string_view name, std::set<std::string>& changed) {
  if ((mask & IN_Q_OVERFLOW) != 0) return watch_anew(changed);  // something was lost
  if (watch == folder_watch_) {
    if (name.empty() || name.starts_with('.')) return;
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) watch_module(std::string(name));
    changed.emplace(name);
    return;
  }
  if (watch == above_watch_) {
    if (name == awaited_) watch_anew(changed);
    return;
  }
  const auto module = modules_.find(watch);
  if (module == modules_.end()) return;
  if ((mask & IN_IGNORED) != 0) {
    modules_.erase(module);
  } else if (name == "config.txt" || name == "module.toml") {
    // A file that is only made will be written, and closed (but for a hard link, which is overlooked); a
    // folder or a symbolic link is there at once.
    const auto made = [&] {
      std::error_code gone;
      return std::filesystem::symlink_status(folder_ / module->second / name, gone).type();
    };
    const bool waits = (mask & IN_CREATE) != 0 && made() == std::filesystem::file_type::regular;
    if (!waits) changed.insert(module->second);
  }
}

std::set<std::string> ModuleWatch::read_events() {
  constexpr int most_reads = 16;
  std::set<std::string> changed;
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (int i = 0; i < most_reads; ++i) {
    const ssize_t count = ::read(watch_->descriptor.native_handle(), buffer.data(), buffer.size());
    if (count <= 0) break;
    std::string_view events(buffer.data(), static_cast<std::size_t>(count));
    while (events.size() >= sizeof(inotify_event)) {
      inotify_event event;
      std::memcpy(&event, events.data(), sizeof event);
      events.remove_prefix(sizeof event);
      const std::string_view padded = events.substr(0, event.len);
      take(event.wd, event.mask, padded.substr(0, padded.find('\0')), changed);
      events.remove_prefix(padded.size());
    }
  }
  return changed;
}

asio::awaitable<void> ModuleWatch::run() {
  while (true) {
    const auto [error] =
        co_await watch_->descriptor.async_wait(asio::posix::descriptor_base::wait_read, tuple_awaitable);
    if (error) co_return;
    const std::set<std::string> changed = read_events();
    for (const std::string& module : changed)
      changed_(module);
    watch_->pause.expires_after(between_looks);
    const auto [stopped] = co_await watch_->pause.async_wait(tuple_awaitable);
    if (stopped) co_return;
  }
}

}  // namespace starling::agent
