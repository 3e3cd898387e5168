#include "agent/supervisor/keeper/kept_modules.hpp"

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <set>

#include "agent/supervisor/keeper/keeper_client.hpp"
#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "agent/supervisor/processes/process_tree.hpp"

namespace starling::agent {
namespace {

// Done when the keeper's list is empty, with what was being spawned when the agent died, and so are the
// trees.
class EndOfModules final : public KeeperListener {
 public:
  EndOfModules(KeeperClient& keeper, ProcessTrees& trees, Logger log)
      : keeper_(keeper), trees_(trees), log_(log) {}

  bool done() const { return listed_none_ && modules_.empty(); }
  // Once may be too little for a tree that forks.
  void end_what_is_left() {
    if (!listed_none_) return;
    std::erase_if(modules_, [this](const std::string& module) { return trees_.empty(module); });
    for (const std::string& module : modules_)
      trees_.kill(module);
  }
  std::string names() const {
    std::string names;
    for (const std::string& module : modules_)
      names += (names.empty() ? "" : ", ") + module;
    return names;
  }

  void attached(const KeeperGreeting&, std::vector<KeptChild> children) override {
    living_.clear();
    for (const KeptChild& child : children)
      end(child);
    listed_none_ = children.empty();
    if (!listed_none_ && living_.empty()) keeper_.list();
  }
  void spawned(KeptChild child) override { end(child); }
  void spawn_failed(const SpawnFailure& failure) override { ended(failure.id); }
  void exited(std::string_view id, const ChildExit&) override {
    keeper_.forget(id);
    ended(ChildId(id));
  }
  void signal_failed(std::string_view, int) override {}  // it has ended by itself
  void main_taken(std::string_view, std::int32_t, std::uint64_t) override {}
  void main_refused(std::string_view, std::int32_t, int) override {}
  void lost() override {}
  void stop_asked() override {}  // it is asked again in the agent's own connection

 private:
  void end(const KeptChild& child) {
    log_.warning("ending a process that an agent before this one left", {{"child", child.id}});
    if (!child.exit) {
      living_.insert(child.id);
      keeper_.signal(child.id, SIGKILL, SignalScope::main);  // it may have left the group
      keeper_.signal(child.id, SIGKILL, SignalScope::group);
    }
    if (const auto run = parse_child_id(child.id)) {
      if (child.pid != 0) {
        trees_.led_by(run->module, child.leader_pid, child.leader_start_time, child.in_cgroup);
        trees_.main_is(run->module, child.pid, child.start_time);
        trees_.writes_to(run->module, child.streams.out);
        trees_.writes_to(run->module, child.streams.err);
      }
      trees_.kill(run->module);
      modules_.emplace(run->module);
    }
    if (child.exit) keeper_.forget(child.id);
  }
  void ended(const ChildId& id) {
    if (living_.erase(id) > 0 && living_.empty()) keeper_.list();
  }

  KeeperClient& keeper_;
  ProcessTrees& trees_;
  Logger log_;
  std::set<ChildId> living_;
  std::set<std::string> modules_;  // with something that may live
  bool listed_none_ = false;
};

}  // namespace

Result<void> end_kept_modules(const std::filesystem::path& keeper_socket, const std::filesystem::path& state,
                              const Clock& clock, Milliseconds patience, Logger log) {
  constexpr Milliseconds longest_turn{100};
  asio::io_context context(1);
  KeeperClient keeper(context.get_executor(), keeper_socket, log);
  const ProcessTable table;
  ProcessTrees trees(table, delegated_cgroup(state, log), state.string(), log);
  EndOfModules ending(keeper, trees, log);
  keeper.watch(silence_of_a_hang);  // also after this, until the agent connects
  if (auto started = keeper.start(ending); !started) return started;
  const SteadyTime until = clock.steady() + patience;
  while (!ending.done() && clock.steady() < until) {
    context.run_one_for(longest_turn);
    ending.end_what_is_left();
  }
  TaskGroup ends(context.get_executor(), log);
  ends.start("end of the keeper client", keeper.stop());
  context.run();
  if (ending.done()) return {};
  return fail(ErrorCode::timed_out, "modules of an agent before this one have not ended: " + ending.names());
}

}  // namespace starling::agent
