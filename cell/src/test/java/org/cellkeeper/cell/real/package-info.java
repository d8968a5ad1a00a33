/** Real cells on this machine, started by {@code scripts/lab}, killed, paused, stopped and wiped. */
@NullMarked
package org.cellkeeper.cell.real;

import org.jspecify.annotations.NullMarked;
