# Tests of units; included by tests/CMakeLists.txt.
foreach(unit accelerator_config activation arithmetic eltwise function hadamard_matrix matrix norm rotate rsqrt smooth
             softmax)
  guardbit_test(unit/${unit}_unit_test.cpp LINK guardbit_units LABELS unit)
endforeach()
guardbit_test(unit/cost_model_test.cpp LINK guardbit_units LABELS unit)
