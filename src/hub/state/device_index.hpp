// Purpose: finds the devices of a fleet by id, name and labels without looking at all of them.
// Owner: FleetState, which tells it of every device that comes and goes; one that changes goes and comes
// again. Thread: the hub's. Lifetime: that of its state. It points at the state's shared devices, so a copy
// of a state has a copy of the index that points at the same ones.
//
// A registered device has a place: a small number, given to another device only when this one has gone. Sets
// of devices are sorted vectors of places. That is 4 bytes for each label of a device, a registration appends
// to them, and a selector of any terms is a few set operations: well below a millisecond at 100,000 devices.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/state/entity.hpp"

namespace starling::hub {

using Place = std::uint32_t;
using Places = std::vector<Place>;  // sorted, without repeats

class DeviceIndex {
 public:
  // `device` stays where it is, unchanged, until remove().
  void add(const Device& device);
  void remove(const Device& device);

  std::size_t size() const { return by_id_.size(); }
  std::size_t end_place() const { return devices_.size(); }  // above all places
  const Device* at(Place place) const;                       // nullptr if it is free
  std::optional<Place> place_of(std::string_view id) const;

  // Those with this name, in no order, but at most `limit`.
  std::vector<const Device*> named(std::string_view name, std::size_t limit) const;

  Places all() const;
  Places matching(const protocol::Selector& selector) const;
  std::size_t count(const protocol::Selector& selector) const;
  // The first of `places` in order of id.
  std::vector<const Device*> first_by_id(const Places& places, std::size_t limit) const;

 private:
  struct Label {
    Places devices;  // that have it, with whatever value
    std::map<std::string, Places, std::less<>> values;
  };

  Places named_by(const protocol::Selector::Term& term) const;
  std::size_t count(const protocol::Selector::Term& term) const;

  std::vector<const Device*> devices_;                 // by place
  Places free_;                                        // in no order
  std::unordered_map<std::string_view, Place> by_id_;  // keys here and below lie in the devices
  std::unordered_multimap<std::string_view, Place> by_name_;
  std::map<std::string, Label, std::less<>> labels_;
};

Places common(Places left, const Places& right);

}  // namespace starling::hub
