#include "agent/update/tuf_client.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <map>

#include "agent/fake_disk.hpp"
#include "agent/posix_disk.hpp"
#include "base/files.hpp"
#include "protocol/tuf/test_repository.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
namespace tuf = protocol::tuf;
using boost::asio::awaitable;
using tuf::test::TestKey;
using tuf::test::TestRepository;

// A repository's files by name, and what was asked for.
class FileFetcher final : public Fetcher {
 public:
  awaitable<Result<std::string>> fetch(std::string path, std::size_t max_bytes) override {
    asked.push_back(path);
    const auto found = files.find(path);
    if (found == files.end()) co_return fail(ErrorCode::not_found, path + ": no such file");
    if (found->second.size() > max_bytes) co_return fail(ErrorCode::too_large, path + " is too large");
    co_return found->second;
  }
  awaitable<Result<void>> stream(std::string path, std::uint64_t first, std::uint64_t, Sink sink) override {
    asked.push_back(path + (first > 0 ? " from " + std::to_string(first) : ""));
    const auto found = files.find(path);
    if (found == files.end()) co_return fail(ErrorCode::not_found, path + ": no such file");
    if (first > 0 && first >= found->second.size()) co_return fail(ErrorCode::conflict, path + " is shorter");
    for (std::size_t i = first; i < found->second.size(); i += 2) {
      if (i >= cut_at) co_return fail(ErrorCode::unavailable, "the line is cut");
      if (auto taken = sink(std::string_view(found->second).substr(i, 2)); !taken) co_return taken;
    }
    co_return Result<void>();
  }
  std::size_t cut_at = std::size_t(-1);

  std::map<std::string, std::string> files;
  std::vector<std::string> asked;
};

class TufClientTest : public testing::Test {
 protected:
  TufClientTest() : folder_(fs::path(testing::TempDir()) / ("tuf_client." + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    EXPECT_TRUE(disk_.make_folder("tuf"));
    EXPECT_TRUE(disk_.sync_folder(""));
    EXPECT_TRUE(TufClient::trust(disk_, "tuf", repository_.root_file()));
    publish();
  }
  ~TufClientTest() override { fs::remove_all(folder_); }

  // Makes all four files of the given version; root stays.
  void publish(int version = 1) {
    repository_.timestamp["version"] = repository_.snapshot["version"] = version;
    repository_.targets["version"] = version;
    repository_.promised()["version"] = repository_.listed("targets.json")["version"] = version;
    metadata_.files["timestamp.json"] = repository_.timestamp_file();
    const std::string prefix =
        repository_.root["consistent_snapshot"].as_bool() ? std::to_string(version) + "." : "";
    metadata_.files[prefix + "snapshot.json"] = repository_.snapshot_file();
    metadata_.files[prefix + "targets.json"] = repository_.targets_file();
  }
  void publish_root(int version) {
    repository_.root["version"] = version;
    metadata_.files[std::to_string(version) + ".root.json"] = repository_.root_file();
  }
  // Delegates a path to a role that says `bytes` about it.
  void delegate(const std::string& role, std::string_view path, std::string_view bytes) {
    const TestKey key('d');
    repository_.targets["delegations"] =
        tuf::test::delegations({key}, JsonArray{Json(tuf::test::delegation(role, {key}, path))});
    JsonObject content = tuf::test::content_of("targets");
    content["targets"] = JsonObject{{path, tuf::test::target_json(bytes)}};
    repository_.listed(role + ".json");
    metadata_.files["1." + http_name(role)] = tuf::test::sign(content, {key});
  }
  static std::string http_name(std::string role) {
    if (role == "../x") return "..%2Fx.json";
    return role + ".json";
  }

  template <typename T>
  T run(awaitable<T> task) {
    boost::asio::io_context context(1);
    auto result = boost::asio::co_spawn(context, std::move(task), boost::asio::use_future);
    context.run();
    return result.get();
  }
  Result<void> refresh() { return run(client_.refresh(tuf::test::today)); }
  Result<void> download(const std::string& path) {
    const auto found = run(client_.find(path));
    if (!found) return fail(found);
    return run(client_.download(path, *found, targets_, target_disk_, "file"));
  }
  std::string downloaded() const { return read_file(folder_ / "file", 1000).value_or("(none)"); }
  std::vector<std::string> in_folder() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    return names;
  }

  TestRepository repository_;
  FakeDisk disk_;
  FileFetcher metadata_, targets_;
  TufClient client_{disk_, "tuf", metadata_};
  fs::path folder_;
  PosixDisk target_disk_{folder_};
};

TEST_F(TufClientTest, KeepsWhatItTrustsByteForByte) {
  metadata_.files["timestamp.json"] += " \n";
  ASSERT_TRUE(refresh());
  EXPECT_EQ(metadata_.asked,
            (std::vector<std::string>{"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}));
  EXPECT_EQ(disk_.content("tuf/timestamp.json"), metadata_.files["timestamp.json"]);
  EXPECT_EQ(disk_.content("tuf/snapshot.json"), metadata_.files["1.snapshot.json"]);
  EXPECT_EQ(disk_.content("tuf/targets.json"), metadata_.files["1.targets.json"]);
}

TEST_F(TufClientTest, AsksForNothingThatItHas) {
  ASSERT_TRUE(refresh());
  metadata_.asked.clear();
  ASSERT_TRUE(refresh());
  EXPECT_EQ(metadata_.asked, (std::vector<std::string>{"2.root.json", "timestamp.json"}));
}

TEST_F(TufClientTest, FollowsARepositoryWithoutConsistentSnapshots) {
  repository_.root["consistent_snapshot"] = false;
  publish_root(2);
  publish();
  ASSERT_TRUE(refresh());
  EXPECT_EQ(metadata_.asked, (std::vector<std::string>{"2.root.json", "3.root.json", "timestamp.json",
                                                       "snapshot.json", "targets.json"}));
  targets_.files["app/one.tar"] = "one";
  const auto done = download("app/one.tar");
  EXPECT_TRUE(done) << done.error().message;
}

TEST_F(TufClientTest, DownloadsByHashAndOnce) {
  ASSERT_TRUE(refresh());
  const std::string name = "app/" + sha256("one").hex() + ".one.tar";
  targets_.files[name] = "one";
  ASSERT_TRUE(download("app/one.tar"));
  EXPECT_EQ(downloaded(), "one");
  ASSERT_TRUE(download("app/one.tar"));
  EXPECT_EQ(targets_.asked, std::vector{name});
}

TEST_F(TufClientTest, AWrongDownloadLeavesTheRightOne) {
  ASSERT_TRUE(refresh());
  const std::string old_name = "app/" + sha256("one").hex() + ".one.tar";
  targets_.files[old_name] = "one";
  ASSERT_TRUE(download("app/one.tar"));
  repository_.targets["targets"] = JsonObject{{"app/one.tar", tuf::test::target_json("two!")}};
  publish(2);
  ASSERT_TRUE(refresh());
  const std::string name = "app/" + sha256("two!").hex() + ".one.tar";
  const std::pair<std::string, const char*> cases[] = {{"two?", "hash"},
                                                       {"tw", "2 bytes instead of the 4"},
                                                       {"", "0 bytes instead of the 4"},
                                                       {"two!!", "more than the 4 bytes"},
                                                       {std::string(1u << 20, 'x'), "more than the 4 bytes"}};
  for (const auto& [bytes, says] : cases) {
    targets_.files[name] = bytes;
    const auto done = download("app/one.tar");
    ASSERT_FALSE(done) << says;
    EXPECT_EQ(done.error().code, ErrorCode::corrupted);
    EXPECT_NE(done.error().message.find(says), std::string::npos) << done.error().message;
    EXPECT_EQ(downloaded(), "one");
    EXPECT_EQ(in_folder(), std::vector<std::string>{"file"});  // and no part of it
  }
  targets_.files[name] = "two!";
  EXPECT_TRUE(download("app/one.tar"));
  EXPECT_EQ(downloaded(), "two!");
}

TEST_F(TufClientTest, GoesOnWhereTheLineWasCut) {
  repository_.targets["targets"] = JsonObject{{"app/one.tar", tuf::test::target_json("0123456789")}};
  publish();
  ASSERT_TRUE(refresh());
  const std::string name = "app/" + sha256("0123456789").hex() + ".one.tar";
  targets_.files[name] = "0123456789";
  for (const std::size_t cut : {2u, 2u, 6u}) {
    targets_.cut_at = cut;
    EXPECT_EQ(download("app/one.tar").error().code, ErrorCode::unavailable);
    EXPECT_EQ(in_folder(), std::vector<std::string>{"file.part"});
  }
  targets_.cut_at = 100;
  const auto done = download("app/one.tar");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(downloaded(), "0123456789");
  EXPECT_EQ(targets_.asked, (std::vector{name, name + " from 2", name + " from 2", name + " from 6"}));
  EXPECT_EQ(in_folder(), std::vector<std::string>{"file"});
}

TEST_F(TufClientTest, BeginsAnewWhereWhatWasThereIsOfSomethingElse) {
  repository_.targets["targets"] = JsonObject{{"app/one.tar", tuf::test::target_json("0123456789")}};
  publish();
  ASSERT_TRUE(refresh());
  const std::string name = "app/" + sha256("0123456789").hex() + ".one.tar";
  targets_.files[name] = "0123456789";
  for (const char* part : {"01x3", "0123456789", "012345678x", "01234567890123456789"}) {
    fs::remove(folder_ / "file");
    ASSERT_TRUE(target_disk_.write_file("file.part", part, 0644));
    const auto done = download("app/one.tar");
    ASSERT_TRUE(done) << part << ": " << done.error().message;
    EXPECT_EQ(downloaded(), "0123456789");
    EXPECT_EQ(in_folder(), std::vector<std::string>{"file"});
  }
  // The server has less than it should.
  targets_.files[name] = "01";
  fs::remove(folder_ / "file");
  ASSERT_TRUE(target_disk_.write_file("file.part", "0123", 0644));
  EXPECT_EQ(download("app/one.tar").error().code, ErrorCode::corrupted);
  EXPECT_TRUE(in_folder().empty());
}

TEST_F(TufClientTest, NeverWritesThroughALink) {
  ASSERT_TRUE(refresh());
  targets_.files["app/" + sha256("one").hex() + ".one.tar"] = "one";
  fs::create_symlink("elsewhere", folder_ / "file.part");
  ASSERT_TRUE(download("app/one.tar"));
  EXPECT_FALSE(fs::exists(folder_ / "elsewhere"));
  EXPECT_FALSE(fs::is_symlink(folder_ / "file"));
}

TEST_F(TufClientTest, WithoutAHashThatItKnowsThereIsNoDownload) {
  repository_.targets["targets"].as_object()["app/one.tar"].as_object()["hashes"] = JsonObject{{"md5", "00"}};
  publish();
  ASSERT_TRUE(refresh());
  EXPECT_EQ(download("app/one.tar").error().code, ErrorCode::failed_precondition);
  EXPECT_TRUE(targets_.asked.empty());
}

TEST_F(TufClientTest, FindsThroughDelegations) {
  delegate("../x", "voices/eve", "hello");
  publish();
  ASSERT_TRUE(refresh());
  targets_.files["voices/" + sha256("hello").hex() + ".eve"] = "hello";
  const auto done = download("voices/eve");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(downloaded(), "hello");
  EXPECT_TRUE(disk_.content("tuf/..%2Fx.json"));  // whatever the role is called
  EXPECT_EQ(run(client_.find("voices/other")).error().code, ErrorCode::not_found);
  EXPECT_EQ(run(client_.find("../../etc/passwd")).error().code, ErrorCode::invalid_argument);
}

TEST_F(TufClientTest, ADelegatedRoleIsCheckedByItsDelegator) {
  delegate("voices", "voices/eve", "hello");
  publish();
  metadata_.files["1.voices.json"] = tuf::test::sign(
      parse_json(metadata_.files["1.voices.json"]).value().at("signed").as_object(), {TestKey('x')});
  ASSERT_TRUE(refresh());
  EXPECT_EQ(run(client_.find("voices/eve")).error().code, ErrorCode::unauthenticated);
  EXPECT_FALSE(disk_.content("tuf/voices.json"));
}

TEST_F(TufClientTest, EndlessMetadataIsNotTaken) {
  for (const char* name : {"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}) {
    const auto kept = metadata_.files;
    metadata_.files[name] = std::string(3u << 20, ' ');
    EXPECT_EQ(refresh().error().code, ErrorCode::too_large) << name;
    metadata_.files = kept;
  }
  repository_.listed("targets.json")["length"] = 10;  // nor more than was promised
  publish(2);
  EXPECT_EQ(refresh().error().code, ErrorCode::too_large);
}

TEST_F(TufClientTest, EndlessRootsAreFollowedAFewAtATime) {
  for (int version = 2; version <= 300; ++version)
    publish_root(version);
  ASSERT_TRUE(refresh());
  EXPECT_EQ(disk_.content("tuf/root.json"), metadata_.files["257.root.json"]);
  ASSERT_TRUE(refresh());
  EXPECT_EQ(disk_.content("tuf/root.json"), metadata_.files["300.root.json"]);
}

TEST_F(TufClientTest, ATrustedRootIsNotReplacedByAccident) {
  EXPECT_EQ(TufClient::trust(disk_, "tuf", repository_.root_file()).error().code, ErrorCode::already_exists);
  EXPECT_EQ(TufClient::trust(disk_, "other", "{}").error().code, ErrorCode::invalid_argument);
}

TEST_F(TufClientTest, WithoutARootNothingIsAsked) {
  TufClient client(disk_, "elsewhere", metadata_);
  EXPECT_EQ(run(client.refresh(tuf::test::today)).error().code, ErrorCode::not_found);
  disk_.put("tuf/root.json", "torn");
  EXPECT_EQ(refresh().error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(metadata_.asked.empty());
}

TEST_F(TufClientTest, AfterAFailedRefreshNothingIsFound) {
  ASSERT_TRUE(refresh());
  publish(2);
  metadata_.files.erase("2.targets.json");
  EXPECT_EQ(refresh().error().code, ErrorCode::not_found);
  EXPECT_EQ(run(client_.find("app/one.tar")).error().code, ErrorCode::failed_precondition);
  publish(2);
  EXPECT_TRUE(refresh());
  EXPECT_TRUE(run(client_.find("app/one.tar")));
}

// Version numbers are compared with what was kept: unreadable is not the same as never there.
TEST_F(TufClientTest, ACopyThatCannotBeReadStopsTheRefresh) {
  ASSERT_TRUE(refresh());
  for (const char* path : {"tuf/timestamp.json", "tuf/snapshot.json"}) {
    disk_.make_fail(path, ErrorCode::io);
    EXPECT_EQ(refresh().error().code, ErrorCode::io) << path;
    disk_.mend();
    disk_.put(path, "torn");
    EXPECT_TRUE(refresh()) << path;
  }
}

// Power fails at every step of a refresh that also takes the timestamp's key away: what is left is always
// whole files of before or after, never a file of the revoked key beside the new root, and goes on from
// there.
TEST_F(TufClientTest, LosesPowerAnywhere) {
  const auto prepare = [&] {
    repository_ = TestRepository();
    repository_.give("timestamp", {TestKey('t'), TestKey('z')});  // the second goes on signing
    repository_.timestamp_keys = {TestKey('t'), TestKey('z')};
    metadata_.files.clear();
    disk_ = FakeDisk(std::uint64_t(disk_.steps()) + 1);
    EXPECT_TRUE(disk_.make_folder("tuf"));
    EXPECT_TRUE(disk_.sync_folder(""));
    EXPECT_TRUE(TufClient::trust(disk_, "tuf", repository_.root_file()));
    publish(1'000'000);
    EXPECT_TRUE(refresh());
    repository_.give("timestamp", {TestKey('z')});
    repository_.timestamp_keys = {TestKey('z')};
    publish_root(2);
    publish(2);
  };
  bool crashed = true;
  int step = 1;
  for (; crashed; ++step) {
    prepare();
    disk_.crash_after(static_cast<std::uint64_t>(step));
    const auto refreshed = refresh();
    crashed = disk_.crashed();
    EXPECT_EQ(refreshed.has_value(), !crashed) << step;
    disk_.restore_power();
    const auto root = disk_.content("tuf/root.json");
    const auto timestamp = disk_.content("tuf/timestamp.json");
    ASSERT_TRUE(root) << step;
    if (*root == metadata_.files["2.root.json"] && timestamp) {
      EXPECT_EQ(*timestamp, metadata_.files["timestamp.json"]) << step;
    }
    const auto again = refresh();
    EXPECT_TRUE(again) << step << ": " << again.error().message;
    EXPECT_EQ(disk_.content("tuf/targets.json"), metadata_.files["2.targets.json"]) << step;
  }
  EXPECT_GT(step, 12);
}

}  // namespace
}  // namespace starling::agent
