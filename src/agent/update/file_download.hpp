// Purpose: brings one file whose length and hashes are known, and goes on where a former download has ended.
// Owner: the update. Thread: the io_context's, blocking on the disk in pieces. Lifetime: one download;
// fetcher and disk outlive it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "agent/disk.hpp"
#include "agent/update/fetcher.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::agent {

// Does nothing if the file `to` is there already and is the right one. Errors: those of PartialFile and
// Fetcher.
boost::asio::awaitable<Result<void>> download_file(Fetcher& fetcher, std::string name,
                                                   protocol::tuf::TargetFile expected, Disk& disk,
                                                   std::string to);

}  // namespace starling::agent
