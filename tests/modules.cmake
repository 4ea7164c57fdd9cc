# Tests of modules; included by tests/CMakeLists.txt.
guardbit_test(system/accelerator_test.cpp LINK guardbit_modules guardbit_base SYSTEMC LABELS system)
guardbit_test(system/timing_test.cpp LINK guardbit_timing LABELS system)
guardbit_test(system/memory_test.cpp LINK guardbit_modules SYSTEMC LABELS system)
guardbit_test(system/machine_laws_test.cpp LINK guardbit_modules SYSTEMC LABELS system)
guardbit_test(system/unit_latency_test.cpp LINK guardbit_modules SYSTEMC LABELS system)
guardbit_test(system/pe_array_test.cpp LINK guardbit_pe_array SYSTEMC LABELS system)
guardbit_test(system/pe_array_full_test.cpp LINK guardbit_pe_array SYSTEMC LABELS full)
guardbit_test(system/wave_test.cpp LINK guardbit_modules guardbit_base SYSTEMC LABELS system)
