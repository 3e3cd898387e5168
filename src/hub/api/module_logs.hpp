// Purpose: /api/v1/devices/{uuid}/modules/{module}/logs: what a module writes, as it is written, from the
// device straight to whoever reads. Nothing of it is kept. Owner: Api. Thread: the hub's. Lifetime: as long
// as the router's.
#pragma once

#include <memory>
#include <vector>

#include "hub/api/services.hpp"

namespace starling::hub {

class ModuleLogs {
 public:
  explicit ModuleLogs(Services& services) : services_(services) {}
  ~ModuleLogs();
  void add_to(Router& router);

  void tick();  // every second
  void stop();

 private:
  struct Reader;
  using SharedReader = std::shared_ptr<Reader>;

  Reply open(const Call& call);
  void start(const SharedReader& reader);
  void read(const SharedReader& reader, const protocol::LogLines& lines, bool link_lost);
  void end(Reader& reader, std::string_view why, bool link_lost = false);
  bool may_read(const Reader& reader) const;

  Services& services_;
  std::vector<SharedReader> readers_;
  SteadyTime next_ping_{};
  // Ends callbacks that come back when this is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace starling::hub
