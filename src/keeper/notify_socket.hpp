// Purpose: the datagram socket on which one child says READY=1 and the like (sd_notify).
// Owner: Child. Thread: main. Lifetime: its file is removed with it.
//
// The keeper only holds it: the agent reads. Messages that come while no agent runs wait in it.
#pragma once

#include <expected>
#include <string>

#include "base/file_descriptor.hpp"

namespace starling::keeper {

class NotifySocket {
 public:
  // An abstract socket with a random name if the path is too long for one, or if another user may have to
  // reach it: the folder is private. Senders are told apart by their credentials, not by who can reach the
  // socket.
  // The error is errno.
  static std::expected<NotifySocket, int> open(const std::string& folder, const std::string& id,
                                               bool other_user);
  NotifySocket(NotifySocket&&) = default;
  NotifySocket& operator=(NotifySocket&&) = delete;
  ~NotifySocket();

  int descriptor() const { return descriptor_.number(); }
  const std::string& name() const { return name_; }  // the value of NOTIFY_SOCKET

 private:
  NotifySocket(FileDescriptor descriptor, std::string name)
      : descriptor_(std::move(descriptor)), name_(std::move(name)) {}

  FileDescriptor descriptor_;
  std::string name_;
};

}  // namespace starling::keeper
