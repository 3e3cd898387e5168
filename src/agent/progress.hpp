// Purpose: the answer of work that is done in pieces, so that whoever else has to do something on the thread
// can. Owner: values. Thread: any. Lifetime: none.
#pragma once

namespace starling::agent {

enum class Progress { more, done };

}  // namespace starling::agent
