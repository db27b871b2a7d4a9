// SPDX-License-Identifier: MIT
// OpenMP: libgomp makes the threads and has its own futex calls and spinning barriers.
#include <omp.h>

#include "check.h"

int main(void) {
  begin();
  omp_set_num_threads(8);
  long sum = 0;
#pragma omp parallel for reduction(+ : sum)
  for (int i = 0; i < 1000000; i++) sum += i;
  FACT("sum %ld", sum);
  int meetings = 0, most = 0;
#pragma omp parallel
  {
    for (int i = 0; i < 50; i++) {
#pragma omp barrier
#pragma omp single
      meetings++;
    }
#pragma omp critical
    most = omp_get_num_threads() > most ? omp_get_num_threads() : most;
  }
  FACT("meetings %d of %d", meetings, most);
  long tasks = 0;
#pragma omp parallel
#pragma omp single
  for (int i = 0; i < 500; i++) {
#pragma omp task
    {
      if (i % 50 == 0) nap();
#pragma omp atomic
      tasks += i;
    }
  }
  FACT("tasks %ld", tasks);
  long ordered = 0;
#pragma omp parallel for ordered schedule(dynamic, 3)
  for (int i = 0; i < 200; i++) {
#pragma omp ordered
    if (ordered == i) ordered++;
  }
  FACT("ordered %ld", ordered);
  omp_lock_t lock;
  omp_init_lock(&lock);
  long locked = 0;
#pragma omp parallel for
  for (int i = 0; i < 2000; i++) {
    omp_set_lock(&lock);
    locked++;
    omp_unset_lock(&lock);
  }
  omp_destroy_lock(&lock);
  FACT("locked %ld", locked);
  return end();
}
