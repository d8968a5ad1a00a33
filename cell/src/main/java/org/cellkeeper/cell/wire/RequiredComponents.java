package org.cellkeeper.cell.wire;

import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.AnnotatedMember;
import com.fasterxml.jackson.databind.introspect.AnnotatedParameter;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import java.util.Map;
import java.util.Set;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.LocalState;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.Vote;
import org.jspecify.annotations.Nullable;

/**
 * Tells Jackson which components of the model's records must be there and not null: all but those that the model says may
 * be null. They are listed because the annotation that says so is no part of the running program; a test compares.
 */
final class RequiredComponents extends JacksonAnnotationIntrospector {
    private static final long serialVersionUID = 1L;

    static final Map<Class<?>, Set<String>> NULLABLE = Map.of(
            Backup.class, Set.of("warnings"),
            ClusterState.class, Set.of("ensemble"),
            Halt.class, Set.of("lsn", "timeline"),
            LocalState.class, Set.of("seen", "handoverMark", "haltReason"),
            PeerView.class, Set.of("streamsFrom", "received", "replayed", "oldestWal"),
            Phase.Handover.class, Set.of("token"),
            Presence.class, Set.of("cluster", "servers"),
            Task.class, Set.of("end", "backup"),
            Vote.class, Set.of("veto"));

    private static final String MODEL = CellName.class.getPackageName();

    @Override
    public @Nullable Boolean hasRequiredMarker(AnnotatedMember member) {
        if (member instanceof AnnotatedParameter parameter && isRequired(parameter)) {
            return true;
        }
        return super.hasRequiredMarker(member);
    }

    @Override
    public JsonSetter.Value findSetterInfo(Annotated annotated) {
        if (annotated instanceof AnnotatedParameter parameter && isRequired(parameter)) {
            return JsonSetter.Value.construct(Nulls.FAIL, Nulls.FAIL);
        }
        return super.findSetterInfo(annotated);
    }

    private static boolean isRequired(AnnotatedParameter parameter) {
        Class<?> record = parameter.getDeclaringClass();
        if (!record.isRecord() || !record.getPackageName().equals(MODEL)) {
            return false;
        }
        String component = record.getRecordComponents()[parameter.getIndex()].getName();
        return !NULLABLE.getOrDefault(record, Set.of()).contains(component);
    }
}
