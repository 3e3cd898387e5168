// Purpose: a Supervisor on real files and sockets, for the tests of what talks to it: its modules are
// folders, its keeper says what the test wants, and starts nothing. Owner: a test. Thread: one. Lifetime: a
// test.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <fstream>

#include "agent/settings_bench.hpp"
#include "agent/supervisor/supervisor.hpp"
#include "base/temporary_folder.hpp"
#include "keeper/protocol.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

class SupervisorFixture : public testing::Test, private Wakeup, private LinkOutput, private ModuleOutput {
 protected:
  SupervisorFixture() { std::filesystem::create_directories(modules()); }
  ~SupervisorFixture() override {
    if (supervisor) finish(supervisor->stop());
  }

  std::filesystem::path modules() const { return folder / "modules"; }
  void write_module(const std::string& name, std::string_view manifest, std::string_view config = "") {
    write_module_in(modules(), name, manifest, config);
  }
  static void write_module_in(const std::filesystem::path& all, const std::string& name,
                              std::string_view manifest, std::string_view config = "") {
    std::filesystem::create_directories(all / name);
    std::ofstream(all / name / "module.toml") << manifest;
    if (!config.empty()) std::ofstream(all / name / "config.txt") << config;
  }

  // Returns when the supervisor has the keeper's list.
  void start(const std::vector<keeper::HeldChild>& children = {}) {
    start_without_list();
    list(children);
  }
  void start_without_list() {
    listen();
    SupervisorOptions options;
    options.modules = modules();
    options.release_modules = release_modules;
    options.release = release;
    options.state = folder.path();
    options.keeper_socket = folder / "keeper.sock";
    options.boot_id = boot_id;
    options.seed = ++starts_;
    options.root = root;
    supervisor = std::make_unique<Supervisor>(context.get_executor(), clock, log, disk,
                                              static_cast<Wakeup&>(*this), std::move(options));
    auto loaded = DeviceCore::load(disk, clock, catalog, maker, static_cast<LinkOutput&>(*this),
                                   static_cast<ModuleOutput&>(*this), DeviceOptions{}, nullptr);
    ASSERT_TRUE(loaded);
    device = std::move(*loaded);
    ASSERT_TRUE(supervisor->load(*device));
    ASSERT_TRUE(supervisor->start([] {}));
    eventually([this] {
      keeper_ = FileDescriptor(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
      return static_cast<bool>(keeper_);
    });
    say(keeper::Welcome{});
  }
  void list(const std::vector<keeper::HeldChild>& children) {
    for (const keeper::HeldChild& child : children)
      say(keeper::ChildListed{child});
    const std::uint64_t before = supervisor->journal().newest();
    say(keeper::Listed{});
    eventually([&] { return children.empty() || supervisor->journal().newest() > before; });
    turn();
  }
  // Its modules run on, for all that the next one's keeper says.
  void end_agent() {
    finish(supervisor->stop());
    supervisor.reset();
    device.reset();
    std::filesystem::remove(folder / "keeper.sock");
  }
  void say(const keeper::Report& report) {  // the keeper
    const auto packet = keeper::encode(report);
    ASSERT_TRUE(packet);
    for (bool sent = false; !sent;) {
      sent = ::send(keeper_.number(), packet->data(), packet->size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
      ASSERT_TRUE(sent || errno == EAGAIN);
      turn();
    }
  }

  void want(const protocol::EnabledModules& modules) {  // the hub
    protocol::ConfigUpdate wish;
    wish.section = protocol::Section::modules;
    wish.revision = ++revision_;
    wish.payload = protocol::to_json(modules);
    wish.hash = protocol::hash_of(wish.payload);
    device->section().offer(wish);
  }

  void turn() {
    context.restart();
    context.run_for(Milliseconds(1));
  }
  void eventually(const std::function<bool()>& condition) {
    for (int tries = 0; tries < 10'000; ++tries) {
      if (condition()) return;
      context.restart();
      context.run_one_for(Milliseconds(10));
    }
    FAIL() << "waited in vain";
  }
  void finish(asio::awaitable<void> task) {
    bool done = false;
    asio::co_spawn(context, std::move(task), [&done](const std::exception_ptr&) { done = true; });
    eventually([&done] { return done; });
  }

  std::string log_text() const {
    std::string text(std::size_t{1} << 20, '\0');
    const ssize_t size = ::pread(logged.number(), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

  const TemporaryFolder folder;
  std::string boot_id = "boot-1";
  std::filesystem::path release_modules;  // empty: no release runs
  std::string release;
  std::filesystem::path root = "/";  // of what the board says
  asio::io_context context;
  ManualClock clock;
  const FileDescriptor logged{::memfd_create("log", MFD_CLOEXEC)};
  Log log{clock, logged.number()};
  FakeDisk disk;
  protocol::Catalog catalog = test_catalog();
  RandomIdentityMaker maker{clock};
  std::unique_ptr<DeviceCore> device;
  std::unique_ptr<Supervisor> supervisor;
  std::vector<std::string> sent_to_hub;

 private:
  void listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (folder / "keeper.sock").c_str(), sizeof(address.sun_path) - 1);
    listener_ = FileDescriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(listener_.number(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(listener_.number(), 4), 0);
  }
  void deadlines_changed() override {}
  void enrol() override {}
  void connect(std::string_view) override {}
  void send(std::string_view text) override { sent_to_hub.emplace_back(text); }
  void close(std::string_view) override {}
  void send_line(ModuleId, std::string_view) override {}
  void drop(ModuleId) override {}

  FileDescriptor listener_, keeper_;
  std::uint64_t starts_ = 0;
  std::int64_t revision_ = 0;
};

}  // namespace starling::agent
