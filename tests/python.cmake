# Tests of the Python module, one a file, on the interpreter that it was built for; included by tests/CMakeLists.txt.
if(TARGET guardbit_python)
  foreach(subject module quantize gemm norm replay)
    add_test(NAME python.${subject} COMMAND "${Python3_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/python/run.py"
             "${CMAKE_CURRENT_SOURCE_DIR}/python/${subject}_test.py")
    set_tests_properties(python.${subject} PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT 300
      ENVIRONMENT "PYTHONPATH=${PROJECT_BINARY_DIR}/python;GUARDBIT=$<TARGET_FILE:guardbit>;PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endif()
