// Purpose: the agent's end of the keeper's socket, spoken by hand.
// Owner: the test. Thread: the test's. Lifetime: the connection's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "e2e/process.hpp"
#include "keeper/protocol.hpp"

namespace starling::e2e {

struct KeeperReport {
  keeper::Report report;
  std::vector<FileDescriptor> descriptors;
};

// A child as the keeper told of it, with its descriptors.
struct ToldChild : keeper::HeldChild {
  FileDescriptor& handle(keeper::Handle handle);
  std::vector<FileDescriptor> descriptors;
};

class KeeperWire {
 public:
  explicit KeeperWire(const std::filesystem::path& socket);  // waits until the keeper listens

  void send(const keeper::Request& request);
  void send_raw(std::string_view packet);
  bool try_send_raw(std::string_view packet);  // false: it would have to wait
  KeeperReport receive();                      // throws when the keeper has closed the connection
  bool is_closed();                            // waits for the end, reading what comes before

  // The next report, which must be of this kind.
  template <typename T>
  T expect() {
    KeeperReport got = receive();
    if (T* report = std::get_if<T>(&got.report)) return std::move(*report);
    throw std::runtime_error("another report than expected: " + *keeper::encode(got.report));
  }
  ToldChild expect_spawned();
  keeper::Welcome welcome() const { return welcome_; }

  keeper::Welcome hello();  // and reads the list, too
  std::vector<ToldChild> list();
  ToldChild spawn(const keeper::SpawnRequest& request);
  keeper::SpawnFailed spawn_in_vain(const keeper::SpawnRequest& request);
  std::vector<ToldChild>& children() { return children_; }

 private:
  void read_list();

  FileDescriptor socket_;
  keeper::Welcome welcome_;
  std::vector<ToldChild> children_;
};

// Up to the end, or up to `size` bytes.
std::string read_pipe(const FileDescriptor& pipe, std::size_t size = std::string::npos);

std::string read_line(const FileDescriptor& pipe);  // without its end

bool process_is_there(pid_t pid);  // also as a zombie
bool process_is_alive(pid_t pid);
pid_t parent_of(pid_t pid);

}  // namespace starling::e2e
