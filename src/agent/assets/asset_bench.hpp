// Purpose: settings and their assets on a fake disk, with a hub that has files or not, for the tests.
// Owner: the test. Thread: one. Lifetime: a test case; restart() is a new start on the same disk.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/assets/asset_core.hpp"
#include "agent/assets/asset_path.hpp"
#include "agent/settings_bench.hpp"
#include "agent/update/partial_file.hpp"
#include "base/build_folders.hpp"
#include "base/files.hpp"

namespace starling::agent {

// What assets hold.
inline const std::string moo = "moooooooooooooo";
inline const std::string baa = "baaaaaaaaaaaa";

inline protocol::Catalog catalog_with_files() {
  constexpr std::string_view file =
      R"({"$schema":"http://json-schema.org/draft-07/schema#","x-component":"sounds","title":"Sounds",
          "description":"d","type":"object","additionalProperties":false,"properties":{
          "yes":{"type":"string","default":"","description":"d","x-file":true},
          "volume":{"type":"integer","default":5,"description":"d"},
          "all":{"type":"array","items":{"type":"string"},"default":[],"description":"d","x-file":true}}})";
  protocol::Catalog catalog;
  auto component = protocol::Component::from_json(parse_json(file).value());
  if (!component) ADD_FAILURE() << component.error().message;
  EXPECT_TRUE(catalog.put(std::move(*component)));
  const auto updates = read_file(source_folder() / "components/updates.json", 1u << 16);
  EXPECT_TRUE(catalog.put(protocol::Component::from_json(parse_json(updates.value()).value()).value()));
  return catalog;
}

inline protocol::AssetFile asset_of(std::string_view content) {
  return {sha256(content), content.size()};
}

struct AssetBench : AssetFetch, AssetListener {
  explicit AssetBench(std::uint64_t seed = 1, FakeDisk::Unsynced unsynced = FakeDisk::Unsynced::lost)
      : disk(seed, unsynced) {}

  Result<void> restart() {
    if (disk.crashed()) disk.restore_power();
    asked.reset();
    recorder.said.clear();
    settings.reset();
    assets = std::make_unique<AssetCore>(disk, clock, *this, *this, SeededRandom(3), Logger());
    SettingsOptions options;
    options.state_folder = "/state";
    settings = std::make_unique<SettingsCore>(disk, clock, catalog, recorder, recorder, SeededRandom(7),
                                              options, Logger());
    settings->use_assets(*assets);
    auto started = settings->start();
    run();
    return started;
  }

  // A document that names these files by sounds.all; each name's file is what the hub has.
  protocol::ConfigUpdate document(std::int64_t revision, const std::map<std::string, std::string>& files,
                                  int volume = 5, const Values& link = {}) const {
    protocol::SettingsDocument made = default_document(catalog);
    JsonArray names;
    for (const auto& [name, content] : files) {
      names.emplace_back(JsonString(name));
      made.assets.emplace(name, asset_of(content));
    }
    made.settings["sounds.all"] = std::move(names);
    made.settings["sounds.volume"] = volume;
    for (const auto& [key, value] : link)
      made.settings[key] = value;
    return update_of(made, revision);
  }
  void offer(const protocol::ConfigUpdate& update) {
    settings->offer(update);
    run();
  }

  // All that can be done now.
  void run() {
    for (int i = 0; i < 200 && !disk.crashed(); ++i) {
      assets->tick();
      settings->tick();
      if (asked && !hold_downloads) answer();
      const auto next = assets->next_deadline();
      if (!asked && (!next || *next > clock.steady())) return;
      if (asked && hold_downloads) return;
    }
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    run();
  }

  // The download that was asked for, as the downloader does it, in parts of 5 bytes.
  void answer() {
    const auto [path, file] = *std::exchange(asked, std::nullopt);
    ++downloads;
    assets->downloaded(path, transfer(path, file));
  }
  Result<void> transfer(const std::string& path, const protocol::AssetFile& file) {
    if (!hub_is_there) return fail(ErrorCode::unavailable, "no hub");
    const auto content = hub_files.find(file.sha256);
    if (content == hub_files.end()) return fail(ErrorCode::not_found, "404");
    protocol::tuf::TargetFile expected;
    expected.length = static_cast<std::int64_t>(file.size);
    expected.hashes = {{HashAlgorithm::sha256, file.sha256.hex()}};
    for (int i = 0; i < 2; ++i) {
      auto part = PartialFile::open(disk, path, expected);
      if (!part) return fail(part);
      for (;;) {
        const auto read = part->catch_up();
        if (!read) return fail(read);
        if (*read == Progress::done) break;
      }
      while (!part->complete()) {
        if (auto taken = part->write(std::string_view(content->second).substr(part->size(), 5)); !taken)
          return taken;
        if (auto kept = part->pause(); !kept) return kept;
      }
      auto finished = part->finish();
      if (finished || finished.error().code != ErrorCode::corrupted || !part->resumes()) return finished;
    }
    return fail(ErrorCode::corrupted, "damaged twice");
  }

  // Whether all that the running document names is on the disk as it should be, and heard of by path.
  void expect_whole() const {
    for (const auto& [name, file] : settings->document().assets)
      EXPECT_EQ(sha256(content_of(asset_path(name, file))), file.sha256) << name;
  }
  std::string content_of(const std::string& path) const { return disk.content(path).value_or("(none)"); }
  std::size_t kept_files() { return disk.list(assets_folder).value_or(std::vector<std::string>{}).size(); }
  void has(const std::string& content) { hub_files[sha256(content)] = content; }

  void download(const std::string& path, const protocol::AssetFile& file,
                std::uint64_t bytes_per_second) override {
    asked = {path, file};
    limit = bytes_per_second;
  }
  void stop() override { asked.reset(); }
  void assets_changed() override {
    if (settings) settings->assets_changed();
  }
  void asset_damaged(std::string message) override { damaged.push_back(std::move(message)); }

  FakeDisk disk;
  ManualClock clock;
  protocol::Catalog catalog = catalog_with_files();
  SettingsRecorder recorder;
  std::unique_ptr<AssetCore> assets;
  std::unique_ptr<SettingsCore> settings;
  std::map<Digest, std::string> hub_files;
  bool hub_is_there = true;
  bool hold_downloads = false;
  std::optional<std::pair<std::string, protocol::AssetFile>> asked;
  int downloads = 0;
  std::uint64_t limit = 0;  // of the last one
  std::vector<std::string> damaged;
};

}  // namespace starling::agent
