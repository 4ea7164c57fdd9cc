// GoogleTest main for tests that elaborate SystemC: sc_main is the entry point of libsystemc.
#include <gtest/gtest.h>

#include <systemc>

int sc_main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
