// Purpose: a device that updates itself, for tests: settings and update core on a fake disk, with a hub, a
// repository and modules that do as they are told. Owner: a test. Thread: one. Lifetime: a test; agents die
// and start again on it.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/settings_bench.hpp"
#include "agent/update/boot_guard.hpp"
#include "agent/update/partial_file.hpp"
#include "agent/update/release_bench.hpp"
#include "agent/update/release_shelf.hpp"
#include "agent/update/update_core.hpp"
#include "base/build_folders.hpp"
#include "base/files.hpp"
#include "protocol/canonical_json.hpp"
#include "release/make_delta.hpp"

namespace starling::agent {

inline constexpr std::chrono::hours day{24};

class UpdateBench final : private UpdatePort, private InstallTiming {
 public:
  explicit UpdateBench(std::uint64_t seed = 1, FakeDisk::Unsynced unsynced = FakeDisk::Unsynced::lost)
      : device(seed, unsynced) {
    const auto file = read_file(source_folder() / "components/updates.json", 1u << 16);
    EXPECT_TRUE(device.catalog.put(protocol::Component::from_json(parse_json(file.value()).value()).value()));
  }

  // ---- the repository
  void publish(const std::string& version, const std::string& what = "1") {
    const std::vector<TarPart> payload{{"payload/modules/ear/run", std::string(3000, what[0]), '0', "", 0755},
                                       {"payload/modules/mouth", "", '2', "ear", 0777}};
    publish_tar(version, tar_of(release_parts(version, payload)));
  }
  void publish_tar(const std::string& version, std::string tar) {
    targets[version] = target_of(version, tar);
    tars[targets[version].release.hash] = std::move(tar);
  }

  // With Python packages.
  void publish_with_wheels(const std::string& version) {
    publish_tar(version, tar_of(release_parts(
                             version, {{"payload/modules/ear/run", std::string(3000, 'p'), '0', "", 0755},
                                       {"payload/modules/mouth", "", '2', "ear", 0777},
                                       {"payload/requirements.txt", "hears==1\n"},
                                       {"payload/wheels/hears.whl", "PK"}})));
  }
  // What its Python program says of itself; none: there is none.
  std::optional<std::string> python_program(const Release& release) const {
    return device.disk.content(release_path(release.hash) + "/venv/bin/hear");
  }
  void needs(const std::string& version, const std::string& package) {
    targets[version].custom["packages"] = JsonArray{JsonString(package)};
  }

  // It runs v1.0.0, confirmed; v1.1.0 and v1.2.0 can be had. `values`: settings that it gets before.
  void settle(std::map<std::string, Json> values = {}) {
    for (const std::string version : {"v1.0.0", "v1.1.0", "v1.2.0"})
      publish(version, version.substr(3, 1));
    start();
    if (!values.empty()) set(std::move(values));
    want("v1.0.0");
    pass(Seconds(200));
    EXPECT_EQ(runs() + " " + confirmed(), "v1.0.0 v1.0.0");
  }

  // ---- the agent's life
  bool alive() const { return core != nullptr && !device.disk.crashed(); }
  void start() {
    if (device.disk.crashed()) return;
    restart_wanted_ = false;
    ++starts;
    const auto chosen = choose_release(device.disk, device.clock, counts, Logger());
    if (device.disk.crashed()) return;
    ASSERT_TRUE(chosen || device.disk.free_bytes() == 0U) << chosen.error().message;
    const auto loaded = device.restart();
    ASSERT_TRUE(loaded || device.disk.crashed()) << loaded.error().message;
    core = std::make_unique<UpdateCore>(device.disk, device.clock, *device.core, device.recorder,
                                        static_cast<UpdatePort&>(*this), static_cast<InstallTiming&>(*this),
                                        SeededRandom(starts), UpdateOptions{}, Logger());
    const auto started = loaded ? core->start() : Result<void>(fail(loaded));
    ASSERT_TRUE(started || !alive()) << started.error().message;
    if (!alive()) return;
    if (!restart_wanted_ && chosen) {
      EXPECT_EQ(*chosen, device.core->release());
    }
    core->keeper_counts(counts);
    if (alive() && hub_is_there) core->hub_session();
    deliver();
  }
  // What is in memory is gone.
  void end() {
    core.reset();
    asked_.clear();
  }
  void power_comes_back() {
    end();
    device.disk.restore_power();
    ++counts.unrecorded;
    start();
  }
  void crash() {
    end();
    ++counts.crashes;
    start();
  }

  // ---- what happens
  void want(const JsonObject& section) {
    if (!alive()) return;
    protocol::ConfigUpdate update;
    update.section = protocol::Section::software;
    update.revision = ++revision_;
    update.hub_generation = "g1";
    update.payload = section;
    update.hash = protocol::hash_of(section);
    software_ = update;
    core->offer(update);
    deliver();
  }
  void want(const std::string& version) { want(JsonObject{{"release", version}}); }
  // With a threshold of 0.9 and the module 'mouth' enabled: both or neither.
  void want_tied(const std::string& version, double threshold = 0.9) {
    tied_ = true;
    const JsonObject patch{{"settings", JsonObject{{"hotword.threshold", threshold}}}};
    const JsonObject enable{{"mouth", JsonObject{{"enabled", true}}}};
    want({{"release", version}, {"with", JsonObject{{"settings", patch}, {"modules", enable}}}});
  }
  bool has_what_was_tied() const {
    const bool settings = device.value("hotword.threshold") == Json(0.9);
    EXPECT_EQ(device.core->modules().contains("mouth"), settings);
    return settings;
  }
  void set(std::map<std::string, Json> values) {
    if (!alive()) return;
    settings_ = make_update(device.catalog, ++revision_, std::move(values));
    device.core->offer(*settings_);
    deliver();
  }
  void connect_hub() {
    hub_is_there = true;
    if (alive()) core->hub_session();
    deliver();
  }
  void pass(Milliseconds time) {
    const SteadyTime until = device.clock.steady() + time;
    deliver();
    while (alive()) {
      auto next = core->next_deadline();
      if (const auto other = device.core->next_deadline(); other && (!next || *other < *next)) next = other;
      const auto target = next ? std::min(*next, until) : until;
      device.clock.advance(
          std::max(std::chrono::ceil<Milliseconds>(target - device.clock.steady()), Milliseconds(0)));
      device.core->tick();
      if (alive()) core->tick();
      deliver();
      if (target == until && !busy()) break;
    }
  }

  // ---- what is so
  std::string runs() const { return version_of(device.core->release()); }
  std::string confirmed() const { return version_of(device.core->confirmed_release()); }
  std::string state() const { return std::string(core->state_word()); }
  std::string fingerprint() const {
    return core->record().failure ? core->record().failure->fingerprint : "";
  }
  // Whether each file of the release is there as it was packed.
  bool is_whole(const Release& release) const {
    const std::string at = release_path(release.hash) + "/payload/";
    const std::string& tar = tars.at(release.hash);
    const auto program = device.disk.content(at + "modules/ear/run");
    if (tar.find("payload/wheels/") != std::string::npos &&
        python_program(release) != "#!/state/" + release_path(release.hash) + "/venv/bin/python\n")
      return false;
    return device.disk.content(at + "VERSION") == release.version + "\n" && program &&
           program->size() == 3000 && tar.find(*program) != std::string::npos;
  }

  SettingsBench device;
  std::unique_ptr<UpdateCore> core;
  std::map<std::string, ReleaseTarget> targets;
  std::map<Digest, std::string> tars;
  std::set<std::string> broken;  // versions whose modules do not get ready
  ReleaseVerdict modules;        // of all versions
  bool modules_get_up = false;   // after each start, for a while
  bool hub_is_there = true, network = true, trusting = true;
  std::optional<std::string> tampered;               // what is served instead of a tar
  bool encodes = false;                              // the repository has deltas, and packed releases
  std::set<protocol::Encoding> spoiled;              // which are damaged there
  std::map<protocol::Encoding, std::uint64_t> came;  // bytes
  StartCounts counts;
  std::uint64_t starts = 0;
  int lookups = 0, downloads = 0, environments = 0;
  std::optional<Error> no_environment;  // why none can be made
  bool venv_is_a_package = false;       // of the release
  // ---- Debian packages
  bool installer = true, installer_works = true;  // the device has one, and it answers
  // What it answers; `fetched`: it does what it is asked.
  protocol::PackageOutcome package_outcome = protocol::PackageOutcome::fetched;
  std::vector<std::string> packages_asked;
  Digest packages_fetched, packages_of;  // of which release they are there
  Digest packages_kept;                  // and have stayed last
  std::optional<SteadyTime> hour;        // before which nothing is switched

 private:
  struct Find {
    std::string version;
  };
  struct Fetch {
    ReleaseTarget target;
    DownloadWish how;
  };
  struct Equip {
    Digest release;
    EnvironmentWish wish;
  };
  using Asked = std::variant<Find, Fetch, Equip>;

  static std::string version_of(const std::optional<Release>& release) {
    return release ? release->version : "none";
  }
  bool busy() const {
    return alive() && core->next_deadline() && *core->next_deadline() <= device.clock.steady();
  }

  // ---- as the agent does
  Result<void> can_trust() const override {
    if (trusting) return {};
    return fail(ErrorCode::failed_precondition, "no root is trusted");
  }
  void hub_said(std::string_view, WallTime) override {}
  void find(const std::string& version) override { asked_.emplace_back(Find{version}); }
  void download(const ReleaseTarget& target, const DownloadWish& how) override {
    asked_.emplace_back(Fetch{target, how});
  }
  void make_environment(const Digest& release, const EnvironmentWish& wish) override {
    asked_.emplace_back(Equip{release, wish});
  }
  void stop() override { asked_.clear(); }
  void restart() override { restart_wanted_ = true; }
  Result<void> can_install_packages() const override {
    if (installer) return {};
    return fail(ErrorCode::failed_precondition, "nobody installs packages here");
  }
  std::string package_answer() const override { return package_answer_; }
  // As starling-install does; what it keeps is not on this disk.
  void install_packages() {
    const auto text = device.disk.content(std::string(PackageDesk::path));
    if (!text || !installer_works || *text == answered_) return;
    const auto request = protocol::parse_package_request(*text);
    if (!request) return;  // it is being written
    answered_ = *text;
    packages_asked.push_back(std::string(to_string(request->action)));
    protocol::PackageAnswer answer{sha256(*text), package_outcome, "as the test wants it", {}};
    if (package_outcome == protocol::PackageOutcome::fetched) {
      answer.message.clear();
      if (request->action == protocol::PackageAction::fetch) packages_fetched = request->release;
      if (request->action == protocol::PackageAction::install) {
        EXPECT_EQ(packages_fetched, request->release);
        answer.outcome = protocol::PackageOutcome::wanted;
        packages_of = request->release;
      }
      if (request->action == protocol::PackageAction::go_back) {
        answer.outcome = protocol::PackageOutcome::former;
        packages_of = packages_kept;
      }
      if (request->action == protocol::PackageAction::keep) {
        answer.outcome = protocol::PackageOutcome::wanted;
        packages_kept = request->release;
      }
    }
    package_answer_ = text_of(answer);
  }
  bool runs_modules() const override { return modules_get_up; }
  std::vector<std::string> ready_modules() const override { return {"ear"}; }
  ReleaseVerdict trial(const std::vector<std::string>& were_ready) const override {
    ReleaseVerdict verdict = modules;
    if (!were_ready.empty() && broken.contains(runs()))
      verdict.failure = "module 'ear' is not ready, as it was before";
    return verdict;
  }
  Answer ready_to_install(const ReleaseTarget&, SteadyTime now) override {
    if (!hour || now >= *hour) return {};
    return {hour, "its hour", device.clock.wall() + std::chrono::floor<Milliseconds>(*hour - now)};
  }

  void deliver() {
    install_packages();
    while (alive()) {
      if (restart_wanted_) {
        end();
        start();
        continue;
      }
      if (std::erase(device.recorder.said, "section needed") > 0) {
        // By itself the hub says what goes with a release only after that.
        if (settings_ && !tied_) device.core->offer(*settings_);
        if (software_ && alive()) core->offer(*software_);
        continue;
      }
      if (asked_.empty()) return;
      const Asked asked = std::move(asked_.front());
      asked_.pop_front();
      if (const Find* find = std::get_if<Find>(&asked)) {
        ++lookups;
        core->found(find->version, looked_up(find->version));
      } else if (const Equip* equip = std::get_if<Equip>(&asked)) {
        ++environments;
        const bool venv = !venv_is_a_package || packages_of == equip->release;
        const Result<void> made =
            venv ? equipped(equip->wish) : fail(ErrorCode::invalid_argument, "install python3-venv");
        if (alive()) core->environment_made(equip->release, made);
      } else {
        const auto& [target, how] = std::get<Fetch>(asked);
        const DownloadChoice choice = choose(target, how);
        if (!choice.take) {
          core->download_waits(target.release.hash, std::string(metered), choice.waits_for);
          continue;
        }
        const auto left = bytes_left(device.disk, target.release.hash, *choice.take);
        if (const auto room = core->make_room(left.value_or(0)); !room && alive()) {
          core->download_waits(target.release.hash, "disk-full", room.error().message);
          continue;
        }
        ++downloads;
        const Result<void> done = fetched(target, *choice.take);
        if (alive()) core->downloaded(target.release.hash, done);
      }
    }
  }
  // As the maker leaves it: a program that names its interpreter.
  Result<void> equipped(const EnvironmentWish& wish) {
    Disk& disk = device.disk;
    if (auto wheel = disk.read_file(wish.wheels + "/hears.whl", 100); !wheel) return fail(wheel);
    if (no_environment) return std::unexpected(*no_environment);
    for (const std::string& folder : {wish.folder, wish.folder + "/bin"}) {
      if (auto made = disk.make_folder(folder); !made) return made;
    }
    const std::string program = "#!/state/" + wish.folder + "/bin/python\n";
    if (auto put = disk.write_file(wish.folder + "/bin/hear", program, 0755); !put) return put;
    for (const std::string& folder :
         {wish.folder + "/bin", wish.folder, std::string(folder_of(wish.folder))}) {
      if (auto synced = disk.sync_folder(folder); !synced) return synced;
    }
    return {};
  }
  Result<ReleaseTarget> looked_up(const std::string& version) const {
    if (!network) return fail(ErrorCode::unavailable, "no network");
    const auto found = targets.find(version);
    if (found == targets.end()) return fail(ErrorCode::not_found, version + " is not signed");
    return found->second;
  }
  // What a hub would offer that has made it all.
  DownloadChoice choose(const ReleaseTarget& target, const DownloadWish& how) {
    protocol::EncodingOffers offers;
    if (encodes) {
      const std::string& tar = tars.at(target.release.hash);
      if (how.from) offer(offers, protocol::Encoding::delta, tars.at(*how.from), tar);
      offer(offers, protocol::Encoding::packed, "", tar);
    }
    const BytesLeft left = [&](const protocol::EncodingOffer& one) {
      return bytes_left(device.disk, target.release.hash, one).value_or(one.length);
    };
    return choose_download(offers, how, target, left, false);
  }
  void offer(protocol::EncodingOffers& offers, protocol::Encoding encoding, std::string_view from,
             std::string_view to) {
    release::MemoryBytes old_tar(from);
    release::MemoryBytes new_tar(to);
    std::string bytes = release::make_delta(old_tar, new_tar).value();
    if (spoiled.contains(encoding)) bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    offers.ready.push_back({encoding, bytes.size(), sha256(bytes)});
    encoded_[sha256(bytes)] = std::move(bytes);
  }

  Result<void> fetched(const ReleaseTarget& target, const protocol::EncodingOffer& offer) {
    if (!network) return fail(ErrorCode::unavailable, "no network");
    const std::string to = download_path(target.release.hash, offer);
    if (auto dropped = drop_downloads(device.disk, target.release.hash, to); !dropped) return dropped;
    const bool plain = offer.encoding == protocol::Encoding::plain;
    protocol::tuf::TargetFile expected;
    expected.length = static_cast<std::int64_t>(offer.length);
    expected.hashes = {{HashAlgorithm::sha256, offer.hash.hex()}};
    auto file = PartialFile::open(device.disk, to, expected);
    if (!file) return fail(file);
    for (;;) {
      const auto caught_up = file->catch_up();
      if (!caught_up) return fail(caught_up);
      if (*caught_up == Progress::done) break;
    }
    const std::string& bytes = tampered ? *tampered : plain ? tars.at(offer.hash) : encoded_.at(offer.hash);
    const std::size_t part_bytes = plain ? 2048 : 100;
    for (std::size_t at = file->size(); at < bytes.size(); at += part_bytes) {
      const std::string_view part = std::string_view(bytes).substr(at, part_bytes);
      if (auto written = file->write(part); !written) return written;
      came[offer.encoding] += part.size();
    }
    const bool resumed = file->resumes();
    auto finished = file->finish();
    if (finished || finished.error().code != ErrorCode::corrupted || !resumed) return finished;
    return fetched(target, offer);  // as download_file() does
  }

  std::optional<protocol::ConfigUpdate> settings_, software_;  // as the hub has said them last
  bool tied_ = false;                                          // settings, to a release
  std::deque<Asked> asked_;
  std::map<Digest, std::string> encoded_;
  std::string package_answer_, answered_;
  bool restart_wanted_ = false;
  std::int64_t revision_ = 1;
};

}  // namespace starling::agent
