// The recorder example as a real process: with the test in the agent's place, and on a device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>

#include "base/build_folders.hpp"
#include "base/file_descriptor.hpp"
#include "e2e/supervised_device.hpp"
#include "protocol/module_messages.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;
namespace wire = protocol::module;

// The agent's end of the module socket, for one module.
class AgentEnd {
 public:
  explicit AgentEnd(const std::filesystem::path& path)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::bind(listener_.number(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(listener_.number(), 1) != 0)
      throw std::runtime_error(path.string() + ": " + std::strerror(errno));
  }

  template <typename Message>
  Message accept() {
    await(listener_);
    module_ = FileDescriptor(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    received_.clear();
    return next<Message>();
  }
  void hang_up() { module_.reset(); }

  // The next line, which must be of this kind.
  template <typename Message>
  Message next() {
    std::size_t end = 0;
    while ((end = received_.find('\n')) == std::string::npos) {
      await(module_);
      char chunk[4096];
      const ssize_t count = ::recv(module_.number(), chunk, sizeof(chunk), 0);
      if (count <= 0) throw std::runtime_error("the module has closed its connection");
      received_.append(chunk, static_cast<std::size_t>(count));
    }
    const std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    const auto message = wire::decode_from_module(line);
    const auto* wanted = message ? std::get_if<Message>(&*message) : nullptr;
    if (wanted == nullptr) throw std::runtime_error("not expected: " + line);
    return *wanted;
  }
  void send(const wire::FromAgent& message) {
    const std::string line = wire::encode(message) + "\n";
    ASSERT_EQ(::send(module_.number(), line.data(), line.size(), MSG_NOSIGNAL), std::ssize(line));
  }

 private:
  static void await(const FileDescriptor& socket) {
    pollfd ready{socket.number(), POLLIN, 0};
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
    if (::poll(&ready, 1, static_cast<int>(limit.count())) <= 0)
      throw std::runtime_error("the module says nothing");
  }
  FileDescriptor listener_, module_;
  std::string received_;
};

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

constexpr std::size_t header_bytes = 44;

// What a player finds in the file: bytes of sound at 16 kHz, 16 bit, mono.
std::size_t playable_bytes(const std::filesystem::path& file) {
  const std::string bytes = read_text(file);
  if (bytes.size() < header_bytes) throw std::runtime_error(file.string() + " has no header");
  EXPECT_EQ(bytes.substr(0, 4) + bytes.substr(8, 8), "RIFFWAVEfmt ");
  EXPECT_EQ(bytes.substr(16, 8), std::string("\x10\0\0\0\x01\0\x01\0", 8)) << "PCM, mono";
  EXPECT_EQ(number_at(bytes, 24), 16'000u);
  EXPECT_EQ(number_at(bytes, 28), 32'000u);
  EXPECT_EQ(bytes.substr(32, 8), std::string("\x02\0\x10\0data", 8));
  const std::uint32_t data = number_at(bytes, 40);
  EXPECT_EQ(number_at(bytes, 4), data + 36);
  EXPECT_LE(data, bytes.size() - header_bytes);
  return data;
}

class RecorderModule : public testing::Test {
 protected:
  RecorderModule() {
    EXPECT_EQ(agent.accept<wire::Hello>().name, "recorder");
    EXPECT_EQ(agent.next<wire::State>().state, "idle");
    agent.send(wire::Settings{});
  }
  wire::ActionResult refused(const std::string& name) {
    agent.send(wire::Action{.id = "1", .name = name, .parameters = {}});
    if (name != "dance") agent.next<wire::State>();
    wire::ActionResult result = agent.next<wire::ActionResult>();
    EXPECT_FALSE(result.ok) << name;
    return result;
  }
  std::string done(const std::string& name, const std::string& state) {
    agent.send(wire::Action{.id = name, .name = name, .parameters = {}});
    EXPECT_EQ(agent.next<wire::State>().state, state);
    const wire::ActionResult result = agent.next<wire::ActionResult>();
    EXPECT_TRUE(result.ok) << result.message;
    EXPECT_EQ(result.id, name);
    return result.ok ? std::string(result.result.at("file").as_string()) : "";
  }
  static void await_sound(const std::string& file) {
    eventually("sound in the file", [&] { return playable_bytes(file) > 0; });
  }

  TemporaryFolder folder;
  AgentEnd agent{folder / "agent.sock"};
  Process module{{.program = "recorder-module",
                  .arguments = {(folder / "recordings").string()},
                  .environment = {{"STARLING_MODULE_SOCKET", (folder / "agent.sock").string()}},
                  .output = folder / "module.log"}};
};

TEST_F(RecorderModule, RecordsPausesAndStopsAsItIsTold) {
  const std::string file = done("start", "recording");
  await_sound(file);
  EXPECT_THAT(refused("start").message, HasSubstr("recording already"));
  EXPECT_EQ(done("pause", "idle"), file);
  const std::size_t before = playable_bytes(file);
  EXPECT_EQ(std::filesystem::file_size(file), header_bytes + before) << "nothing is missing in the header";
  EXPECT_EQ(done("start", "recording"), file) << "it goes on";
  eventually("more sound", [&] { return playable_bytes(file) > before; });
  EXPECT_EQ(done("stop", "idle"), file);
  EXPECT_EQ(std::filesystem::file_size(file), header_bytes + playable_bytes(file));
  EXPECT_NE(done("start", "recording"), file) << "the next one is another file";
}

TEST_F(RecorderModule, SaysWhatItCannotDo) {
  EXPECT_THAT(refused("stop").message, HasSubstr("nothing is being recorded"));
  EXPECT_THAT(refused("pause").message, HasSubstr("not recording"));
  EXPECT_THAT(refused("dance").message, HasSubstr("no action 'dance'; there are pause, start, stop"));
  write_text(folder / "recordings", "a file in the way");
  EXPECT_THAT(refused("start").message, HasSubstr((folder / "recordings").string()));
  std::filesystem::remove(folder / "recordings");
  done("start", "recording");
}

TEST_F(RecorderModule, FinishesItsFileWhenItIsStopped) {
  const std::string file = done("start", "recording");
  await_sound(file);
  module.signal(SIGTERM);
  EXPECT_EQ(module.wait(), 0) << module.output();
  EXPECT_EQ(std::filesystem::file_size(file), header_bytes + playable_bytes(file));
}

TEST_F(RecorderModule, LeavesAPlayableFileWhenItIsKilled) {
  const std::string file = done("start", "recording");
  await_sound(file);
  module.signal(SIGKILL);
  module.wait();
  EXPECT_GT(playable_bytes(file), 0u);
}

TEST_F(RecorderModule, RecordsOnWhileTheAgentIsAway) {
  const std::string file = done("start", "recording");
  agent.hang_up();
  EXPECT_EQ(agent.accept<wire::Hello>().name, "recorder");
  EXPECT_EQ(agent.next<wire::State>().state, "recording");
  EXPECT_EQ(done("stop", "idle"), file);
}

TEST(RecorderOnADevice, DoesWhatAPersonTellsIt) {
  SupervisedDevice device;
  const auto folder = device.install(source_folder() / "examples/modules/recorder", "recorder");
  device.start();
  device.await_state("recorder", "idle");
  const auto act = [&](const std::string& action) {
    return device.ctl({"module", "act", "recorder", action});
  };
  const Finished refused = act("stop");
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("nothing is being recorded"));
  EXPECT_EQ(act("start").status, 0) << device.log();
  EXPECT_EQ(device.state_of("recorder"), "recording");
  EXPECT_EQ(act("pause").status, 0);
  EXPECT_EQ(device.state_of("recorder"), "idle");
  EXPECT_EQ(act("start").status, 0);
  device.command("stop", "recorder");
  EXPECT_THAT(device.module_processes(), testing::IsEmpty());
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder / "recordings")) {
    ++files;
    EXPECT_EQ(std::filesystem::file_size(file), header_bytes + playable_bytes(file)) << "it was finished";
  }
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace starling::e2e
