#include "e2e/supervised_device.hpp"
#include "base/build_folders.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <set>
#include <stdexcept>

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;

std::vector<ProcessEntry> living_processes() {
  std::vector<ProcessEntry> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    const auto process = parse_process_stat(read_text(entry.path() / "stat"));
    if (process && process->alive()) found.push_back(*process);
  }
  return found;
}

void replace_words(std::string& text, const std::map<std::string, std::string>& words) {
  for (const auto& [word, value] : words) {
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += value.size())
      text.replace(at, word.size(), value);
  }
}

}  // namespace

SupervisedDevice::SupervisedDevice(std::vector<std::string> agent_arguments, std::string hub_url)
    : agent_arguments_(std::move(agent_arguments)), hub_url_(std::move(hub_url)) {
  fs::create_directory(modules());
  // A module with a user of its own must get to its folder.
  fs::permissions(folder_.path(), fs::perms(0711));
  fs::permissions(modules(), fs::perms(0711));
}

SupervisedDevice::~SupervisedDevice() {
  if (!keeper_ || !keeper_->running()) return;
  try {
    keeper_->signal(SIGTERM);
    keeper_->wait();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "the keeper does not end: " << error.what();
    for (const pid_t pid : module_processes())
      ::kill(pid, SIGKILL);
  }
}

fs::path SupervisedDevice::install(const fs::path& source, std::string_view name,
                                   const std::map<std::string, std::string>& words) {
  const fs::path target = modules() / name;
  fs::copy(source, target, fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(target)) {
    if (!entry.is_regular_file()) continue;
    std::string text = read_text(entry.path());
    replace_words(text, words);
    std::ofstream(entry.path(), std::ios::trunc) << text;
  }
  for (const char* program : {"hotword-module", "recorder-module", "memory-eater"})
    fs::create_symlink(programs_folder() / program, target / program);
  return target;
}

std::vector<std::string> SupervisedDevice::without_cgroups() {
  return {"/bin/sh", "-c",
          "unshare -m true && exec unshare -m sh -c 'umount -l -a -t cgroup2; exec \"$@\"' sh \"$@\"; exec "
          "\"$@\"",
          "sh"};
}

// It comes whole: the agent may be looking.
void SupervisedDevice::write_module(std::string_view name, std::string_view manifest, bool enabled) {
  const fs::path target = modules() / name;
  const fs::path made = fs::exists(target) ? target : folder_ / name;
  fs::create_directories(made);
  write_text(made / "module.toml", manifest);
  write_text(made / "config.txt", enabled ? "enabled = true\n" : "enabled = false\n");
  if (made != target) fs::rename(made, target);
}

void SupervisedDevice::start(const std::vector<std::string>& by) {
  std::vector<std::string> arguments = {"--state", state().string(), "--"};
  arguments.insert(arguments.end(), by.begin(), by.end());
  const std::string agent = (programs_folder() / "starling-agent").string();
  for (const std::string& word : {agent, std::string("--state"), state().string(), std::string("--hub"),
                                  hub_url_, std::string("--modules"), modules().string()})
    arguments.push_back(word);
  arguments.insert(arguments.end(), agent_arguments_.begin(), agent_arguments_.end());
  keeper_.emplace(Process::Options{.program = "starling-keeper",
                                   .arguments = std::move(arguments),
                                   .environment = {},
                                   .output = folder_ / "device.log"});
  await("the agent to answer", [this] { return ctl({"module", "list"}).status == 0; });
}

void SupervisedDevice::await(std::string_view what, const std::function<bool()>& condition) const {
  try {
    eventually(what, condition);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(error.what() + ("\n" + log()));
  }
}

bool SupervisedDevice::is_agent(const ProcessEntry& process) const {
  return process.parent == keeper_->pid() &&
         read_text("/proc/" + std::to_string(process.pid) + "/comm") == "starling-agent\n";
}

pid_t SupervisedDevice::agent() const {
  for (const ProcessEntry& process : living_processes()) {
    if (is_agent(process)) return process.pid;
  }
  throw std::runtime_error("no agent runs: " + log());
}

Finished SupervisedDevice::ctl(std::vector<std::string> words) const {
  std::vector<std::string> arguments = {"ctl", "--state", state().string()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  return run({.program = "starling-agent",
              .arguments = std::move(arguments),
              .environment = {},
              .output = folder_ / ("ctl-" + std::to_string(++commands_) + ".log")});
}

std::string SupervisedDevice::command(const std::string& verb, const std::string& module) const {
  const Finished done = ctl({"module", verb, module});
  if (done.status != 0) throw std::runtime_error(verb + " " + module + ": " + done.output + "\n" + log());
  return done.output;
}

JsonObject SupervisedDevice::show(const std::string& module) const {
  const Finished done = ctl({"-o", "json", "module", "show", module});
  const auto shown = parse_json(done.output);
  if (done.status != 0 || !shown || !shown->is_object()) throw std::runtime_error("show: " + done.output);
  return shown->get_object();
}

std::string SupervisedDevice::state_of(const std::string& module) const {
  return std::string(show(module).at("state").as_string());
}

void SupervisedDevice::await_state(const std::string& module, std::string_view state) const {
  await(module + " to be " + std::string(state), [&] { return state_of(module) == state; });
}

pid_t SupervisedDevice::await_ready(const std::string& module, pid_t former) const {
  pid_t found = 0;
  await(module + " to be ready", [&] {
    const JsonObject shown = show(module);
    const std::string_view state = shown.at("state").as_string();
    if (state != "idle" && state != "recording") return false;
    found = static_cast<pid_t>(shown.at("pid").to_number<std::int64_t>());
    return found != former;
  });
  return found;
}

// The keeper is the subreaper of all of them: what it did not start directly, it has inherited.
std::vector<pid_t> SupervisedDevice::module_processes() const {
  const std::vector<ProcessEntry> processes = living_processes();
  std::set<pid_t> family{keeper_->pid()};
  std::vector<pid_t> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (const ProcessEntry& process : processes) {
      if (!family.contains(process.parent) || family.contains(process.pid) || is_agent(process)) continue;
      family.insert(process.pid);
      found.push_back(process.pid);
      grown = true;
    }
  }
  return found;
}

}  // namespace starling::e2e
