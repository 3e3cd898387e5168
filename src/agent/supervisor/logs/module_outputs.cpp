#include "agent/supervisor/logs/module_outputs.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "base/tuple_awaitable.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t buffer_bytes = 16 * 1024;
constexpr int reads_at_once = 4;
constexpr Milliseconds flood_pause{20};

}  // namespace

struct ModuleOutputs::Pipe {
  Pipe(const asio::any_io_executor& executor, FileDescriptor descriptor)
      : stream(executor, descriptor.release()), pause(executor) {}
  asio::posix::stream_descriptor stream;
  asio::steady_timer pause;
  std::string module;
  LogStream kind = LogStream::out;
  bool open = true;

  void close() {
    open = false;
    pause.cancel();
    boost::system::error_code ignored;
    stream.close(ignored);
  }
};

ModuleOutputs::ModuleOutputs(asio::any_io_executor executor, const Clock& clock, std::filesystem::path folder,
                             Logger log)
    : executor_(executor),
      clock_(clock),
      folder_(std::move(folder)),
      log_(log),
      tasks_(executor, log),
      buffer_(buffer_bytes) {}

ModuleOutputs::~ModuleOutputs() = default;

asio::awaitable<void> ModuleOutputs::stop() {
  co_await tasks_.stop();
  pipes_.clear();
}

ModuleLog& ModuleOutputs::log_of(std::string_view module) {
  auto found = logs_.find(module);
  if (found == logs_.end()) {
    auto log = std::make_unique<ModuleLog>(clock_, folder_ / (std::string(module) + ".log"));
    found = logs_.emplace(module, std::move(log)).first;
  }
  return *found->second;
}

void ModuleOutputs::attach(std::string_view module, std::uint64_t run, FileDescriptor out,
                           FileDescriptor err) {
  drain(module);
  log_of(module).begin_run(run);
  add(module, LogStream::out, std::move(out));
  add(module, LogStream::err, std::move(err));
}

void ModuleOutputs::add(std::string_view module, LogStream stream, FileDescriptor descriptor) {
  if (!descriptor) return;
  // Shared with the keeper, which never reads.
  const int flags = ::fcntl(descriptor.number(), F_GETFL);
  if (flags < 0 || ::fcntl(descriptor.number(), F_SETFL, flags | O_NONBLOCK) != 0) return;
  log_of(module);
  auto of_module = [&](const auto& pipe) { return pipe->module == module; };
  if (static_cast<std::size_t>(std::ranges::count_if(pipes_, of_module)) >= max_pipes) {
    const auto oldest = std::ranges::find_if(pipes_, of_module);
    (*oldest)->close();  // its reader ends
    pipes_.erase(oldest);
  }
  auto pipe = std::make_shared<Pipe>(executor_, std::move(descriptor));
  pipe->module = module;
  pipe->kind = stream;
  pipes_.push_back(pipe);
  tasks_.start("module output", read(pipe));
}

// False: nothing is there now, or nothing will come any more.
bool ModuleOutputs::read_once(Pipe& pipe) {
  if (!pipe.open) return false;
  ssize_t count = 0;
  do {
    count = ::read(pipe.stream.native_handle(), buffer_.data(), buffer_.size());
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    log_of(pipe.module).bytes(pipe.kind, {buffer_.data(), static_cast<std::size_t>(count)});
    return true;
  }
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  log_of(pipe.module).ended(pipe.kind);
  pipe.close();
  return false;
}

asio::awaitable<void> ModuleOutputs::read(std::shared_ptr<Pipe> pipe) {
  while (pipe->open) {
    const auto [error] =
        co_await pipe->stream.async_wait(asio::posix::descriptor_base::wait_read, tuple_awaitable);
    if (error) break;
    int reads = 0;
    while (reads < reads_at_once && read_once(*pipe))
      ++reads;
    if (reads == reads_at_once && pipe->open && log_of(pipe->module).flooded()) {
      pipe->pause.expires_after(flood_pause);
      const auto [stopped] = co_await pipe->pause.async_wait(tuple_awaitable);
      if (stopped) break;
    }
  }
  std::erase(pipes_, pipe);
}

void ModuleOutputs::drain(std::string_view module) {
  constexpr int most_reads = 64;
  const std::vector<std::shared_ptr<Pipe>> pipes = pipes_;
  for (const auto& pipe : pipes) {
    if (pipe->module != module) continue;
    for (int reads = 0; reads < most_reads && read_once(*pipe);)
      ++reads;
  }
}

void ModuleOutputs::forget(std::string_view module) {
  std::erase_if(pipes_, [&](const auto& pipe) {
    if (pipe->module != module) return false;
    pipe->close();
    return true;
  });
  if (const auto found = logs_.find(module); found != logs_.end()) logs_.erase(found);
}

}  // namespace starling::agent
