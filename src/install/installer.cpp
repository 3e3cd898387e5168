#include "install/installer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/files.hpp"
#include "base/json.hpp"

namespace starling::install {
namespace {

using protocol::PackageAction;
using protocol::PackageAnswer;
using protocol::PackageOutcome;
using protocol::PackageRequest;

constexpr const char* kept_plan = "kept.json";
constexpr std::size_t max_plan_bytes = 1u << 20;
constexpr std::uint64_t reserve_bytes = 32u << 20;
constexpr std::uint64_t unpacked_is = 4;  // times as much as what is packed

PackageAnswer answer(PackageOutcome outcome, std::string message = {}) {
  return {{}, outcome, std::move(message), {}};
}

struct AskedPackage {
  explicit AskedPackage(std::string_view text)
      : name(text.substr(0, text.find('='))), version(text.substr(std::min(name.size() + 1, text.size()))) {}
  std::string_view name, version;  // empty: any
  bool is(std::string_view there) const { return version.empty() || version == there; }
};

bool is_ours(std::string_view architecture, std::string_view native) {
  return architecture == native || architecture == "all";
}

// Of those that are asked for. One without a version will do as it is.
std::vector<std::string> lacking_of(const std::vector<std::string>& packages,
                                    const std::vector<InstalledPackage>& installed, std::string_view native) {
  std::vector<std::string> lacking;
  for (const std::string& package : packages) {
    const AskedPackage asked(package);
    const bool there = std::ranges::any_of(installed, [&](const InstalledPackage& one) {
      return one.whole && one.name == asked.name && is_ours(one.architecture, native) &&
             asked.is(one.version);
    });
    if (!there) lacking.push_back(package);
  }
  return lacking;
}

// Whether the plan has it, or has what it was before.
bool provides(Plan& plan, std::string_view package, std::string_view native) {
  const AskedPackage asked(package);
  for (PlannedChange& change : plan.changes) {
    if (change.name != asked.name || !is_ours(change.architecture, native)) continue;
    if (!change.to.empty() && asked.is(change.to)) return true;
    if (change.from != asked.version || !change.way_back) continue;
    change.to = change.from;
    change.file = change.way_back;
    return true;
  }
  return false;
}

void add_to(Plan& plan, const Pin& pin, const std::vector<InstalledPackage>& installed) {
  const auto change = std::ranges::find_if(plan.changes, [&](const PlannedChange& one) {
    return one.name == pin.name && one.architecture == pin.architecture;
  });
  if (change != plan.changes.end()) {
    change->to = pin.version;
    change->file = pin.hash;
    return;
  }
  const InstalledPackage* const there = find_package(installed, pin.name, pin.architecture);
  const std::string from = there == nullptr ? "" : there->version;
  plan.changes.push_back({pin.name, pin.architecture, from, pin.version, pin.hash, {}, from});
}

PackageOutcome outcome_of(Standing standing) {
  switch (standing) {
    case Standing::former: return PackageOutcome::former;
    case Standing::wanted: return PackageOutcome::wanted;
    case Standing::mixed:
    case Standing::elsewhere: break;
  }
  return PackageOutcome::mixed;
}

std::string interrupted(int starts) {
  return fmt::format("it was interrupted {} times", starts - 1);
}

PackageAnswer fetched_answer(const Plan& plan) {
  PackageAnswer answer{{}, PackageOutcome::fetched, {}, {}};
  for (const PlannedChange& change : plan.changes) {
    if (!change.from.empty() && !change.way_back)
      answer.without_way_back.push_back(change.name + "=" + change.from);
  }
  return answer;
}

}  // namespace

Installer::Installer(std::filesystem::path folder, Debian& debian, const Clock& clock, Logger log)
    : folder_(std::move(folder)), debian_(debian), clock_(clock), files_(folder_ / "files"), log_(log) {}

Result<void> Installer::carry_out(std::string_view request_text) {
  const Digest id = sha256(request_text);
  const std::filesystem::path answer_path = folder_ / "answer.json";
  const auto last = read_file(answer_path, protocol::max_package_answer_bytes);
  if (last) {
    const auto answered = protocol::parse_package_answer(*last);
    if (answered && answered->request == id) return {};
  }
  const auto request = protocol::parse_package_request(request_text);
  Result<Answer> answered =
      request ? answer_to(*request) : answer(PackageOutcome::refused, request.error().message);
  if (!answered) answered = answer(PackageOutcome::hindered, answered.error().message);
  answered->request = id;
  debian_.drop_scratch();
  log_.info("answers", {{"outcome", to_string(answered->outcome)}, {"message", answered->message}});
  return write_file_durably(answer_path, text_of(*answered));
}

Result<PackageAnswer> Installer::answer_to(const PackageRequest& request) {
  const auto starts = count_start(request);
  if (!starts) return fail(starts);
  Result<Answer> answered;
  switch (request.action) {
    case PackageAction::fetch:
      answered =
          *starts > fetch_tries ? answer(PackageOutcome::refused, interrupted(*starts)) : fetch(request);
      break;
    case PackageAction::install:
    case PackageAction::go_back: answered = change(request, *starts); break;
    case PackageAction::keep: answered = stay(request); break;
  }
  // The way back is asked for at every start of the device.
  const bool gave_up = request.action == PackageAction::go_back && *starts > tries;
  if (!gave_up) {
    if (auto forgotten = forget_starts(); !forgotten) return fail(forgotten);
  }
  return answered;
}

// ---- fetching

Result<PackageAnswer> Installer::fetch(const PackageRequest& request) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  auto plan = make_plan(request, *installed);
  if (!plan && plan.error().code != ErrorCode::unavailable) {
    // The lists may be old. What is not to be had by new ones will not be had later.
    const auto renewed = debian_.renew_lists();
    plan = make_plan(request, *installed);
    const bool sure = renewed && std::ranges::all_of(*installed, &InstalledPackage::whole);
    if (!plan && sure && plan.error().code == ErrorCode::invalid_argument)
      return answer(PackageOutcome::refused, plan.error().message);
  }
  if (!plan) return fail(plan);
  if (auto written = write_plan(*plan); !written) return fail(written);
  return fetched_answer(*plan);
}

Result<Plan> Installer::make_plan(const PackageRequest& request,
                                  const std::vector<InstalledPackage>& installed) {
  const auto native = debian_.architecture();
  if (!native) return fail(native);
  auto lacking = lacking_of(request.packages, installed, *native);
  Plan plan = begin_plan(request.release, lacking, installed);
  std::erase_if(lacking, [&](const std::string& package) { return provides(plan, package, *native); });
  const auto coming = find_files(plan, lacking, installed);
  if (!coming) return fail(coming);
  const auto ways_back = find_ways_back(plan);
  if (auto room = check_room(*coming, ways_back); !room) return fail(room);
  for (const Pin& pin : *coming) {
    if (auto kept = keep(pin); !kept) return fail(kept);
  }
  for (const Pin& pin : ways_back) {
    const auto kept = keep(pin);
    if (kept) continue;
    log_.warning("a way back is not fetched", {{"package", pin.name}, {"why", kept.error().message}});
    for (PlannedChange& change : plan.changes)
      if (change.way_back == pin.hash) change.way_back = Digest();
  }
  return plan;
}

// What is still to be taken back stays in it. A release that is wanted again after another was kept is given
// what that one took the place of: no archive is asked for older ones.
Plan Installer::begin_plan(const Digest& release, const std::vector<std::string>& lacking,
                           const std::vector<InstalledPackage>& installed) const {
  Plan plan{release, {}, false, 0};
  if (const auto former = read_plan(); former && former->begun) plan.changes = made_of(*former, installed);
  plan.begun = !plan.changes.empty();
  const auto kept = read_plan(kept_plan);
  if (plan.begun || !kept) return plan;
  const bool lasts = clock_.wall() < WallTime(Milliseconds(kept->kept_ms)) + way_back_lasts;
  const bool asked_for = std::ranges::any_of(lacking, [&](const std::string& package) {
    return std::ranges::any_of(kept->changes, [asked = AskedPackage(package)](const PlannedChange& change) {
      return change.name == asked.name && change.from == asked.version && change.way_back;
    });
  });
  if (lasts && asked_for && standing_of(*kept, installed) == Standing::wanted)
    plan.changes = reversed(kept->changes);
  return plan;
}

Result<std::vector<Pin>> Installer::find_files(Plan& plan, const std::vector<std::string>& lacking,
                                               const std::vector<InstalledPackage>& installed) {
  std::vector<Pin> coming;
  for (PlannedChange& change : plan.changes) {
    if (change.to.empty() || files_.check(change.file)) continue;
    auto pin = debian_.find({change.name, change.to, change.architecture, true});
    if (!pin) return fail(pin);
    change.file = pin->hash;
    coming.push_back(std::move(*pin));
  }
  if (lacking.empty()) return coming;
  const auto pins = debian_.plan(lacking);
  if (!pins) return fail(pins);
  for (const Pin& pin : *pins) {
    add_to(plan, pin, installed);
    coming.push_back(pin);
  }
  return coming;
}

// As far as they are not kept.
std::vector<Pin> Installer::find_ways_back(Plan& plan) {
  std::vector<Pin> found;
  for (PlannedChange& change : plan.changes) {
    if (change.from.empty() || (change.way_back && files_.check(change.way_back))) continue;
    const InstalledPackage former{change.name, change.from, change.architecture, true};
    change.way_back = kept_file(former);
    if (change.way_back) continue;
    auto pin = debian_.find(former);
    if (pin) {
      change.way_back = pin->hash;
      found.push_back(std::move(*pin));
    } else {
      log_.warning("there is no way back to a package",
                   {{"package", former.name}, {"version", former.version}, {"why", pin.error().message}});
    }
  }
  return found;
}

// It may be what a former plan brought, which no archive has any more.
Digest Installer::kept_file(const InstalledPackage& package) const {
  for (const char* const name : {"plan.json", kept_plan}) {
    const Plan plan = read_plan(name).value_or(Plan());
    for (const PlannedChange& change : plan.changes) {
      if (change.name != package.name || change.architecture != package.architecture) continue;
      for (const auto& [version, hash] : {std::pair(change.to, change.file), {change.from, change.way_back}})
        if (version == package.version && hash && files_.check(hash)) return hash;
    }
  }
  return {};
}

Result<void> Installer::keep(const Pin& pin) {
  if (files_.check(pin.hash)) return {};
  const auto file = debian_.download(pin);
  return file ? files_.keep(*file, pin.hash) : Result<void>(fail(file));
}

// One at a time lies twice, where apt puts it and where it is kept.
Result<void> Installer::check_room(const std::vector<Pin>& coming, const std::vector<Pin>& ways_back) const {
  constexpr std::uint64_t most = std::uint64_t{1} << 50;  // so that nothing wraps around
  std::uint64_t packed = 0, unpacked = 0, largest = 0;
  for (const auto* const pins : {&coming, &ways_back}) {
    for (const Pin& pin : *pins) {
      const std::uint64_t bytes = std::min(pin.bytes, most);
      if (!files_.check(pin.hash)) {
        packed += bytes;
        largest = std::max(largest, bytes);
      }
      if (pins == &coming) unpacked += bytes * unpacked_is;
    }
  }
  std::error_code error;
  const auto space = std::filesystem::space(folder_, error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", folder_.string(), error.message()));
  const std::uint64_t needed = packed + largest + unpacked + reserve_bytes;
  if (needed <= space.available) return {};
  return fail(ErrorCode::unavailable,
              fmt::format("the packages take {} bytes, of which {} are free", needed, space.available));
}

// ---- what is written down

Result<Plan> Installer::read_plan(const char* name) const {
  const auto text = read_file(folder_ / name, max_plan_bytes);
  return text ? parse_plan(*text) : Result<Plan>(fail(text));
}

Result<void> Installer::write_plan(const Plan& plan, const char* name) const {
  if (auto written = write_file_durably(folder_ / name, text_of(plan)); !written) return written;
  return drop_other_files();
}

Result<void> Installer::drop_other_files() const {
  std::vector<Digest> named;
  for (const char* const name : {"plan.json", kept_plan}) {
    const Plan plan = read_plan(name).value_or(Plan());
    for (const PlannedChange& change : plan.changes)
      named.insert(named.end(), {change.file, change.way_back});
  }
  return files_.keep_only(named);
}

Result<int> Installer::count_start(const PackageRequest& request) const {
  const std::filesystem::path path = folder_ / "begun.json";
  const std::string what = sha256(text_of(PackageRequest{request.action, request.release, {}, 0})).hex();
  std::int64_t starts = 1;
  if (const auto text = read_file(path, max_plan_bytes)) {
    const auto json = parse_json(*text);
    const JsonObject begun = json && json->is_object() ? json->get_object() : JsonObject();
    const JsonReader reader(begun);
    if (reader.string("what") == what) starts += reader.integer("starts").value_or(0);
  }
  starts = std::clamp<std::int64_t>(starts, 1, 1000);
  const JsonObject begun{{"what", what}, {"starts", starts}};
  if (auto written = write_file_durably(path, boost::json::serialize(begun)); !written) return fail(written);
  return static_cast<int>(starts);
}

Result<void> Installer::forget_starts() const {
  std::error_code error;
  std::filesystem::remove(folder_ / "begun.json", error);
  return error ? fail(ErrorCode::io, error.message()) : Result<void>();
}

// ---- changing

Result<PackageAnswer> Installer::change(const PackageRequest& request, int starts) {
  auto plan = read_plan();
  if (!plan || plan->release != request.release)
    return fail(ErrorCode::failed_precondition, "nothing is fetched for this release");
  const Standing target = request.action == PackageAction::install ? Standing::wanted : Standing::former;
  if (plan->changes.empty() || (target == Standing::former && !plan->begun))
    return answer(outcome_of(target));
  if (starts <= tries) {
    // Which may be what ends it each time.
    if (auto repaired = repair(starts > 1); !repaired) return fail(repaired);
  }
  auto standing = look(*plan);
  if (!standing) return fail(standing);
  if (*standing == Standing::elsewhere) {
    return fail(ErrorCode::failed_precondition,
                "the packages have been changed since they were fetched, by somebody else");
  }
  if (target == Standing::wanted) {
    if (auto checked = check_files(*plan); !checked) return fail(checked);
    plan->begun |= *standing != Standing::wanted;
    if (auto written = write_plan(*plan); !written) return fail(written);
  }
  std::string why;
  const auto towards = [&](Standing where) -> Result<void> {
    if (*standing == where) return {};
    const auto done = bring(*plan, where);
    if (!done && done.error().code == ErrorCode::unavailable) return done;  // it is not the packages' fault
    if (!done) {
      if (!why.empty()) why += "; going back: ";
      why += done.error().message;
    }
    standing = look(*plan);
    return standing ? Result<void>() : fail(standing);
  };
  if (starts > tries) why = interrupted(starts);
  if (starts <= tries) {
    if (auto looked = towards(target); !looked) return fail(looked);
  }
  if (target == Standing::wanted && *standing != target && starts <= 2 * tries) {
    if (auto looked = towards(Standing::former); !looked) return fail(looked);
  }
  plan->begun &= *standing != Standing::former;
  if (auto written = write_plan(*plan); !written) return fail(written);
  return answer(outcome_of(*standing), std::move(why));
}

Result<PackageAnswer> Installer::stay(const PackageRequest& request) {
  auto plan = read_plan();
  if (!plan || plan->release != request.release) return answer(PackageOutcome::wanted);
  if (plan->begun) {
    plan->kept_ms = clock_.wall().time_since_epoch().count();
    if (auto written = write_plan(*plan, kept_plan); !written) return fail(written);
  }
  std::error_code error;
  std::filesystem::remove(folder_ / "plan.json", error);
  if (error) return fail(ErrorCode::io, error.message());
  if (auto dropped = drop_other_files(); !dropped) return fail(dropped);
  return answer(PackageOutcome::wanted);
}

// What anybody's dpkg has left in the middle. What does not get right by that may by what is installed.
Result<void> Installer::repair(bool interrupted_here) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  if (interrupted_here || !std::ranges::all_of(*installed, &InstalledPackage::whole)) (void)debian_.repair();
  return {};
}

Result<Standing> Installer::look(const Plan& plan) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  return standing_of(plan, *installed);
}

Result<bool> Installer::all_whole(const Plan& plan) {
  const auto installed = debian_.installed();
  if (!installed) return fail(installed);
  return std::ranges::all_of(plan.changes, [&](const PlannedChange& change) {
    const InstalledPackage* const there = find_package(*installed, change.name, change.architecture);
    return there == nullptr || there->whole;
  });
}

Result<void> Installer::check_files(const Plan& plan) const {
  for (const PlannedChange& change : plan.changes) {
    if (change.to.empty()) continue;
    if (auto checked = files_.check(change.file); !checked) return checked;
  }
  return {};
}

Result<void> Installer::bring(const Plan& plan, Standing towards) {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> unneeded, lost;
  for (const PlannedChange& change : plan.changes) {
    const bool back = towards == Standing::former;
    const std::string& version = back ? change.from : change.to;
    const Digest& hash = back ? change.way_back : change.file;
    if (version.empty()) {
      unneeded.push_back(change.architecture == "all" ? change.name
                                                      : change.name + ":" + change.architecture);
    } else if (hash && files_.check(hash)) {
      files.push_back(files_.path_of(hash));
    } else {
      lost.push_back(change.name + "=" + version);
    }
  }
  const auto whole = all_whole(plan);
  if (!whole) return fail(whole);
  Result<void> done;
  if (!files.empty()) done = *whole ? debian_.install(files) : debian_.install_over(files);
  if (done && !unneeded.empty()) done = debian_.remove(unneeded);
  if (!done && done.error().code == ErrorCode::failed_precondition) (void)debian_.repair();
  if (lost.empty() || (!done && done.error().code == ErrorCode::unavailable)) return done;
  std::string why = fmt::format("not to be had any more: {}", fmt::join(lost, ", "));
  if (!done) why += "; " + done.error().message;
  return fail(ErrorCode::failed_precondition, std::move(why));
}

}  // namespace starling::install
