/** The cell's own PostgreSQL: its process, its settings, its replication, and what can be observed of it. */
@NullMarked
package org.cellkeeper.cell.postgres;

import org.jspecify.annotations.NullMarked;
