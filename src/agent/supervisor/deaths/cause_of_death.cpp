#include "agent/supervisor/deaths/cause_of_death.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <system_error>
#include <utility>

#include "agent/supervisor/deaths/exec_failure.hpp"
#include "agent/supervisor/deaths/failure_words.hpp"
#include "agent/supervisor/folders/manifest_values.hpp"
#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "base/files.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_line_bytes = 400;

// FNV-1a; the fingerprint must be the same on every device and in every version.
class StableHash {
 public:
  void add(std::string_view text) {
    for (const char c : text)
      byte(static_cast<unsigned char>(c));
    byte(0);
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  void byte(std::uint64_t value) {
    hash_ ^= value;
    hash_ *= 0x100000001b3u;
  }
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

bool hexadecimal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool alphanumeric(char c) {
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool killed_by(const Death& death, int signal) {
  return death.exit.kind != ChildExit::Kind::exited && death.exit.kind != ChildExit::Kind::unknown &&
         death.exit.status == signal;
}

std::string name_of_signal(int number) {
  const std::string_view name = signal_name(number);
  return name.empty() ? fmt::format("signal {}", number) : std::string(name);
}

// Of a SIGKILL that came after another signal.
std::string what_it_did_not_heed(const Death& death) {
  const bool asked = death.end_signal != 0 && death.end_signal != SIGKILL;
  if (!death.forced || !killed_by(death, SIGKILL) || !asked) return {};
  const bool long_time = death.unheeded >= Seconds(1);
  return fmt::format(" {} after {}, which it did not heed",
                     seconds_text(long_time ? std::chrono::round<Seconds>(death.unheeded) : death.unheeded),
                     name_of_signal(death.end_signal));
}

std::string how_it_ended(const Death& death) {
  const int status = death.exit.status;
  switch (death.exit.kind) {
    case ChildExit::Kind::exited: return fmt::format("exited with status {}", status);
    case ChildExit::Kind::killed:
    case ChildExit::Kind::dumped: {
      const std::string_view meaning = signal_meaning(status);
      return fmt::format(
          "killed by {}{}{}{}", name_of_signal(status), meaning.empty() ? "" : fmt::format(" ({})", meaning),
          death.exit.kind == ChildExit::Kind::dumped ? ", core dumped" : "", what_it_did_not_heed(death));
    }
    case ChildExit::Kind::unknown: break;
  }
  return "ended, and only its parent process was told how";
}

// In the module's own words.
std::string what_it_said(const Death& death) {
  std::string said;
  if (death.said_error != 0) {
    said += fmt::format("; it said ERRNO={} ({})", death.said_error,
                        std::generic_category().message(death.said_error));
  }
  if (death.said_status != 0) said += fmt::format("; it said EXIT_STATUS={}", death.said_status);
  return said;
}

struct Verdict {
  DeathClass death_class;
  Confidence confidence;
  std::string text;
};

// A SIGKILL that nobody here sent is the mark of the kernel, whose reasons stand in up to three places.
std::optional<Verdict> out_of_memory(const Death& death, const DeathEvidence& evidence) {
  if (death.forced || !killed_by(death, SIGKILL)) return {};
  const auto verdict = [](Confidence confidence, std::string_view text) {
    return Verdict{DeathClass::out_of_memory, confidence, std::string(text)};
  };
  if (evidence.memory && evidence.memory->killed > 0)
    return verdict(Confidence::certain, "out of memory: it went past its limit");
  if (evidence.named_by_kernel.value_or(false))
    return verdict(Confidence::certain, "out of memory: the kernel ended it for the whole device");
  // A cgroup counts each of its processes that the kernel ends for memory, whoever lacked it.
  if (!evidence.memory && evidence.vm_kills.value_or(0) > 0)
    return verdict(Confidence::likely, "out of memory: the kernel ended a process about then");
  return {};
}

Verdict verdict_on(const Death& death, const DeathEvidence& evidence) {
  const std::string how = how_it_ended(death);
  switch (death.ended_for) {
    case EndedFor::watchdog:
      return {DeathClass::watchdog, Confidence::certain, "the watchdog was not fed; " + how};
    case EndedFor::start_timeout:
      return {DeathClass::start_timeout, Confidence::certain, "it was not ready in time; " + how};
    case EndedFor::stop: return {DeathClass::stopped, Confidence::certain, "it was stopped; " + how};
    case EndedFor::none: break;
  }
  if (auto memory = out_of_memory(death, evidence)) return *std::move(memory);
  switch (death.exit.kind) {
    case ChildExit::Kind::unknown: return {DeathClass::unknown, Confidence::guess, how};
    case ChildExit::Kind::exited:
      return {death.exit.status == 0 ? DeathClass::finished : DeathClass::exit_code, Confidence::certain,
              how};
    case ChildExit::Kind::killed:
    case ChildExit::Kind::dumped: break;
  }
  const bool whose = killed_by(death, SIGKILL) && !death.forced;
  return {DeathClass::signal, Confidence::certain, whose ? how + " by somebody outside of the agent" : how};
}

std::vector<std::string> evidence_lines(const Death& death, const DeathEvidence& evidence) {
  std::vector<std::string> lines{how_it_ended(death)};
  if (!death.said_text.empty()) lines.push_back("its last status: " + death.said_text);
  if (death.forced) lines.emplace_back("the agent sent SIGKILL");
  if (killed_by(death, SIGKILL) && !death.forced) {
    lines.push_back(evidence.memory
                        ? fmt::format("its cgroup counts {} ended for memory", evidence.memory->killed)
                        : "its cgroup has no memory counter");
    lines.emplace_back(!evidence.named_by_kernel   ? "the kernel's log cannot be read"
                       : *evidence.named_by_kernel ? "the kernel's log names its process"
                                                   : "the kernel's log does not name its process");
    lines.push_back(evidence.vm_kills ? fmt::format("the kernel ended {} for memory within the last minute",
                                                    *evidence.vm_kills)
                                      : "the kernel does not count what it ends for memory");
  }
  if (death.exit.largest_resident_kb > 0)
    lines.push_back(fmt::format("at most {} kB were resident", death.exit.largest_resident_kb));
  return lines;
}

}  // namespace

std::string normalised_line(std::string_view line) {
  std::string normal;
  while (!line.empty() && normal.size() < max_line_bytes) {
    const auto length = static_cast<std::size_t>(std::ranges::find_if_not(line, alphanumeric) - line.begin());
    const std::string_view word = line.substr(0, std::max<std::size_t>(length, 1));
    line.remove_prefix(word.size());
    const bool address = word.starts_with("0x") && std::ranges::all_of(word.substr(2), hexadecimal);
    const bool number = std::ranges::all_of(word, hexadecimal) && std::ranges::any_of(word, digit);
    const bool more_of_identifier =
        normal.ends_with("#-") && word.size() >= 4 && std::ranges::all_of(word, hexadecimal);
    if (address || number || more_of_identifier) {
      normal += '#';
    } else {  // "12ms", "ttyUSB3"
      for (const char c : word)
        if (!digit(c) || !normal.ends_with('#')) normal += digit(c) ? '#' : c;
    }
  }
  return printable_text(normal, max_line_bytes);
}

bool reads_like_error(std::string_view line) {
  static constexpr std::array<std::string_view, 26> marks{
      "abort",  "assert", "bad",      "cannot", "can't",    "corrupt",   "could not", "denied",   "err",
      "exceed", "except", "fail",     "fatal",  "illegal",  "invalid",   "missing",   "no such",  "not found",
      "panic",  "refuse", "overflow", "signal", "terminat", "timed out", "unable",    "violation"};
  std::string lower(line);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  return std::ranges::any_of(marks, [&](std::string_view mark) { return lower.contains(mark); });
}

std::string death_fingerprint(const Death& death, DeathClass death_class,
                              const std::vector<std::string>& last_lines) {
  constexpr std::size_t lines = 3;  // more differ by what happened long before
  StableHash hash;
  hash.add(death.module);
  hash.add(to_string(death_class));
  if (death_class == DeathClass::exit_code || death_class == DeathClass::signal)
    hash.add(std::to_string(death.exit.status));
  const std::size_t first = last_lines.size() > lines ? last_lines.size() - lines : 0;
  bool told = false;
  for (std::size_t i = first; i < last_lines.size(); ++i) {
    if (!reads_like_error(last_lines[i])) continue;
    hash.add(normalised_line(last_lines[i]));
    told = true;
  }
  // Who gives up says why at the end; what is killed was writing of something else.
  if (!told && death_class == DeathClass::exit_code && !last_lines.empty())
    hash.add(normalised_line(last_lines.back()));
  return hash.text();
}

DeathReport cause_of_death(const Death& death, DeathEvidence evidence) {
  auto& lines = evidence.last_lines;
  if (lines.size() > told_lines) lines.erase(lines.begin(), lines.end() - told_lines);
  for (std::string& line : lines)
    line = printable_text(line, max_line_bytes);
  Verdict verdict = verdict_on(death, evidence);
  DeathReport report;
  report.death_class = verdict.death_class;
  report.confidence = verdict.confidence;
  report.text = verdict.text + what_it_said(death);
  report.evidence = evidence_lines(death, evidence);
  report.fingerprint = death_fingerprint(death, report.death_class, lines);
  report.last_lines = std::move(lines);
  return report;
}

std::string_view to_string(DeathClass death_class) {
  switch (death_class) {
    case DeathClass::finished: return "finished";
    case DeathClass::exit_code: return "exit-code";
    case DeathClass::signal: return "signal";
    case DeathClass::out_of_memory: return "out-of-memory";
    case DeathClass::watchdog: return "watchdog";
    case DeathClass::start_timeout: return "start-timeout";
    case DeathClass::stopped: return "stopped";
    case DeathClass::unknown: break;
  }
  return "unknown";
}

std::string_view to_string(Confidence confidence) {
  switch (confidence) {
    case Confidence::certain: return "certain";
    case Confidence::likely: return "likely";
    case Confidence::guess: break;
  }
  return "guess";
}

MachineExaminer::MachineExaminer(const CgroupTree* cgroups, LastLines last_lines, ReleaseOf release_of,
                                 const std::filesystem::path& root)
    : cgroups_(cgroups),
      last_lines_(std::move(last_lines)),
      release_of_(std::move(release_of)),
      root_(root),
      kernel_log_(root / "dev/kmsg"),
      vm_kills_before_(read_vm_kills()),
      vm_kills_seen_(vm_kills_before_) {}

void MachineExaminer::look() {
  vm_kills_before_ = std::exchange(vm_kills_seen_, read_vm_kills());
}

std::optional<std::uint64_t> MachineExaminer::read_vm_kills() const {
  constexpr std::size_t max_vmstat_bytes = 64 * 1024;
  const auto vmstat = read_file(root_ / "proc/vmstat", max_vmstat_bytes);
  return vmstat ? oom_kills_in(*vmstat) : std::nullopt;
}

std::string MachineExaminer::last_line(std::string_view module) const {
  const auto lines = last_lines_ ? last_lines_(module) : std::vector<std::string>();
  return lines.empty() ? std::string() : lines.back();
}

DeathReport MachineExaminer::examine(const Death& death) {
  DeathEvidence evidence;
  if (cgroups_ != nullptr) evidence.memory = cgroups_->memory_events(death.module);
  if (kernel_log_.readable()) evidence.named_by_kernel = kernel_log_.killed_for_memory(death.pid);
  const auto vm_kills = read_vm_kills();
  if (vm_kills && vm_kills_before_) evidence.vm_kills = *vm_kills - std::min(*vm_kills, *vm_kills_before_);
  vm_kills_before_ = vm_kills_seen_ = vm_kills;  // one death for each kill
  if (last_lines_) evidence.last_lines = last_lines_(death.module);
  DeathReport report = cause_of_death(death, std::move(evidence));
  if (release_of_) report.release = release_of_(death.module);
  return report;
}

std::string MachineExaminer::explain(const SpawnFailure& failure, const ModuleManifest& manifest) {
  const bool of_program = failure.step == SpawnStep::exec;
  const std::string why = of_program ? explain_exec(manifest, failure.error) : std::string();
  return why.empty() ? describe(failure, manifest) : manifest.exec + " cannot be started: " + why;
}

}  // namespace starling::agent
