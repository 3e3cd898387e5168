// Purpose: the settings that are in force on the device, and how two sets of them differ.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/settings/edit_journal.hpp"
#include "base/json.hpp"
#include "protocol/component.hpp"
#include "protocol/document.hpp"

namespace starling::agent {

using Values = std::map<std::string, Json, std::less<>>;  // full key → value

// Equal as RFC 8785 prints them: 5 and 5.0 are the same value.
bool same_value(const Json& a, const Json& b);

// The document's values with the device's own edits over them, and the persona's name as `persona.active`
// (absent without one). A value that the device's schema does not accept gives way to the default.
Values values_in_force(const protocol::Catalog& catalog, const protocol::SettingsDocument& document,
                       const JournalEntries& edits);

// Keys whose value differs, or that only one of them has; sorted.
std::vector<std::string> changed_keys(const Values& before, const Values& after);

// The document that the components' defaults make.
protocol::SettingsDocument default_document(const protocol::Catalog& catalog);

}  // namespace starling::agent
