# Tests of base and trace; included by tests/CMakeLists.txt.
guardbit_test(unit/atomic_file_test.cpp LINK guardbit_base LABELS unit)
guardbit_test(unit/base_test.cpp LINK guardbit_base LABELS unit)
guardbit_test(unit/capture_test.cpp LINK guardbit_trace LABELS unit)
guardbit_test(unit/included_trace_test.cpp LINK guardbit_trace LABELS unit)
guardbit_test(unit/safetensors_test.cpp LINK guardbit_trace LABELS unit)
guardbit_test(unit/strict_json_test.cpp LINK guardbit_trace LABELS unit)
guardbit_test(unit/trace_bit_flip_test.cpp LINK guardbit_trace LABELS full)
guardbit_test(unit/trace_test.cpp LINK guardbit_trace LABELS unit)
