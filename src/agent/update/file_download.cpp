#include "agent/update/file_download.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/update/partial_file.hpp"

namespace starling::agent {

using boost::asio::awaitable;

namespace {

awaitable<Result<void>> go_on(Fetcher& fetcher, std::string name, PartialFile& file, std::uint64_t length) {
  const auto executor = co_await boost::asio::this_coro::executor;
  for (;;) {
    const Result<Progress> read = file.catch_up();
    if (!read) co_return fail(read);
    if (*read == Progress::done) break;
    co_await boost::asio::post(executor, boost::asio::use_awaitable);  // whoever else has to do something
  }
  if (file.complete()) co_return file.finish();
  Fetcher::Sink sink = [&file](std::string_view bytes) { return file.write(bytes); };
  const std::uint64_t first = file.size();
  if (auto streamed = co_await fetcher.stream(std::move(name), first, length, std::move(sink)); !streamed) {
    if (streamed.error().code != ErrorCode::corrupted) (void)file.pause();
    co_return streamed;
  }
  co_return file.finish();
}

}  // namespace

awaitable<Result<void>> download_file(Fetcher& fetcher, std::string name, protocol::tuf::TargetFile expected,
                                      Disk& disk, std::string to) {
  const Result<bool> present = is_downloaded(disk, to, expected);
  if (!present) co_return fail(present);
  if (*present) co_return Result<void>();
  const auto length = static_cast<std::uint64_t>(expected.length);
  for (;;) {
    Result<PartialFile> file = PartialFile::open(disk, to, expected);
    if (!file) co_return fail(file);
    const Result<void> done = co_await go_on(fetcher, name, *file, length);
    if (done) co_return done;
    // What was there before may be of something else: then everything is fetched anew, once.
    const bool of_another =
        done.error().code == ErrorCode::corrupted || done.error().code == ErrorCode::conflict;
    if (!of_another || !file->resumes()) co_return done;
    if (auto removed = file->remove(); !removed) co_return removed;
  }
}

}  // namespace starling::agent
