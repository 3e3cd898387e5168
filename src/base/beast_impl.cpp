// Beast's non-template code, apart from asio_impl.cpp so that the two compile at the same time.
#include <boost/beast/src.hpp>
