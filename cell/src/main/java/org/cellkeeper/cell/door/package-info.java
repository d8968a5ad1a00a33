/** What stands between clients and PostgreSQL: PgBouncer, or nothing. */
@NullMarked
package org.cellkeeper.cell.door;

import org.jspecify.annotations.NullMarked;
