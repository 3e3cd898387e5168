#include "agent/supervisor/order.hpp"

#include <algorithm>

namespace starling::agent {
namespace {

// Depth first, since the path walked is at the same time the cycle's name.
class Walk {
 public:
  explicit Walk(const std::vector<const ModuleManifest*>& manifests) {
    for (const ModuleManifest* manifest : manifests)
      modules_[manifest->name].manifest = manifest;
  }

  ModuleOrder run() {
    for (const auto& entry : modules_)
      visit(entry.first);
    return std::move(order_);
  }

 private:
  enum class Mark { unseen, on_path, done };
  struct Node {
    const ModuleManifest* manifest = nullptr;
    Mark mark = Mark::unseen;
  };

  void visit(const std::string& name) {
    const auto found = modules_.find(name);
    if (found == modules_.end() || found->second.mark == Mark::done) return;
    if (found->second.mark == Mark::on_path) return refuse_cycle(name);
    found->second.mark = Mark::on_path;
    path_.push_back(name);
    for (const std::string& earlier : found->second.manifest->requirements)
      visit(earlier);
    for (const std::string& earlier : found->second.manifest->after)
      visit(earlier);
    path_.pop_back();
    found->second.mark = Mark::done;
    order_.sequence.push_back(name);
  }

  void refuse_cycle(const std::string& again) {
    const auto first = std::find(path_.begin(), path_.end(), again);
    std::string cycle;
    for (auto name = first; name != path_.end(); ++name)
      cycle += *name + " -> ";
    cycle += again;
    for (auto name = first; name != path_.end(); ++name) {
      order_.refused.emplace(*name, "its start order is a cycle: " + cycle +
                                        "; take one of these names out of `after` or `requires`");
    }
  }

  std::map<std::string, Node, std::less<>> modules_;
  std::vector<std::string> path_;
  ModuleOrder order_;
};

}  // namespace

ModuleOrder order_modules(const std::vector<const ModuleManifest*>& manifests) {
  return Walk(manifests).run();
}

}  // namespace starling::agent
