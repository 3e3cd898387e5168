#include "hub/state/device_index.hpp"

#include <algorithm>
#include <iterator>

namespace starling::hub {

namespace {

using protocol::Selector;

void insert(Places& places, Place place) {
  if (places.empty() || places.back() < place) return places.push_back(place);
  places.insert(std::ranges::lower_bound(places, place), place);
}

void erase(Places& places, Place place) {
  const auto found = std::ranges::lower_bound(places, place);
  if (found != places.end() && *found == place) places.erase(found);
}

bool contains(const Places& places, Place place) {
  return std::ranges::binary_search(places, place);
}

// Searching for each of a few is faster than running through many.
bool much_fewer(const Places& few, const Places& many) {
  return few.size() < many.size() / 16;
}

Places difference(Places left, const Places& right) {
  if (much_fewer(left, right)) {
    std::erase_if(left, [&](Place place) { return contains(right, place); });
    return left;
  }
  Places result;
  std::ranges::set_difference(left, right, std::back_inserter(result));
  return result;
}

bool is_positive(const Selector::Term& term) {
  return term.op == Selector::Operator::equal || term.op == Selector::Operator::present;
}

bool names_values(const Selector::Term& term) {
  return term.op == Selector::Operator::equal || term.op == Selector::Operator::not_equal;
}

}  // namespace

Places common(Places left, const Places& right) {
  if (much_fewer(left, right)) {
    std::erase_if(left, [&](Place place) { return !contains(right, place); });
    return left;
  }
  Places result;
  std::ranges::set_intersection(left, right, std::back_inserter(result));
  return result;
}

void DeviceIndex::add(const Device& device) {
  auto place = static_cast<Place>(devices_.size());
  if (free_.empty()) {
    devices_.push_back(&device);
  } else {
    place = free_.back();
    free_.pop_back();
    devices_[place] = &device;
  }
  by_id_.emplace(device.id, place);
  by_name_.emplace(device.name, place);
  for (const auto& [key, value] : device.labels) {
    Label& label = labels_[key];
    insert(label.devices, place);
    insert(label.values[value], place);
  }
}

void DeviceIndex::remove(const Device& device) {
  const auto known = by_id_.find(device.id);
  if (known == by_id_.end()) return;
  const Place place = known->second;
  by_id_.erase(known);
  const auto [first, last] = by_name_.equal_range(device.name);
  by_name_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == place; }));
  devices_[place] = nullptr;
  free_.push_back(place);
  for (const auto& [key, value] : device.labels) {
    const auto label = labels_.find(key);
    const auto with_value = label->second.values.find(value);
    erase(with_value->second, place);
    if (with_value->second.empty()) label->second.values.erase(with_value);
    erase(label->second.devices, place);
    if (label->second.devices.empty()) labels_.erase(label);
  }
}

const Device* DeviceIndex::at(Place place) const {
  return place < devices_.size() ? devices_[place] : nullptr;
}

std::optional<Place> DeviceIndex::place_of(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<const Device*> DeviceIndex::named(std::string_view name, std::size_t limit) const {
  std::vector<const Device*> found;
  auto [at, end] = by_name_.equal_range(name);
  for (; at != end && found.size() < limit; ++at)
    found.push_back(devices_[at->second]);
  return found;
}

Places DeviceIndex::all() const {
  Places places;
  places.reserve(size());
  for (std::size_t place = 0; place < devices_.size(); ++place) {
    if (devices_[place] != nullptr) places.push_back(static_cast<Place>(place));
  }
  return places;
}

// The devices that have the term's label, with one of its values if it has any.
Places DeviceIndex::named_by(const Selector::Term& term) const {
  const auto label = labels_.find(term.key);
  if (label == labels_.end()) return {};
  if (!names_values(term)) return label->second.devices;
  Places found;
  std::size_t values = 0;
  for (const std::string& value : term.values) {
    const auto places = label->second.values.find(value);
    if (places == label->second.values.end()) continue;
    found.insert(found.end(), places->second.begin(), places->second.end());
    ++values;
  }
  // No device is found twice, since a label has one value.
  if (values > 1) std::ranges::sort(found);
  return found;
}

Places DeviceIndex::matching(const Selector& selector) const {
  std::vector<Places> within;
  std::vector<Places> without;
  for (const Selector::Term& term : selector.terms())
    (is_positive(term) ? within : without).push_back(named_by(term));
  std::ranges::sort(within, {}, &Places::size);
  Places found = within.empty() ? all() : std::move(within.front());
  for (std::size_t i = 1; i < within.size(); ++i)
    found = common(std::move(found), within[i]);
  for (const Places& places : without)
    found = difference(std::move(found), places);
  return found;
}

std::size_t DeviceIndex::count(const Selector::Term& term) const {
  const auto label = labels_.find(term.key);
  if (label == labels_.end()) return is_positive(term) ? 0 : size();
  std::size_t found = 0;
  if (!names_values(term)) found = label->second.devices.size();
  for (const std::string& value : term.values) {
    const auto places = label->second.values.find(value);
    if (places != label->second.values.end()) found += places->second.size();
  }
  return is_positive(term) ? found : size() - found;
}

std::size_t DeviceIndex::count(const Selector& selector) const {
  if (selector.empty()) return size();
  return selector.terms().size() == 1 ? count(selector.terms().front()) : matching(selector).size();
}

std::vector<const Device*> DeviceIndex::first_by_id(const Places& places, std::size_t limit) const {
  std::vector<const Device*> devices;
  devices.reserve(places.size());
  for (const Place place : places) {
    if (const Device* device = at(place)) devices.push_back(device);
  }
  const auto end = devices.begin() + static_cast<std::ptrdiff_t>(std::min(limit, devices.size()));
  std::ranges::partial_sort(devices, end, {},
                            [](const Device* device) -> const std::string& { return device->id; });
  devices.erase(end, devices.end());
  return devices;
}

}  // namespace starling::hub
