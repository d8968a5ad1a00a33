package org.cellkeeper.cell.wire;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.KeyDeserializer;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.deser.std.FromStringDeserializer;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Function;
import org.cellkeeper.cell.model.Address;
import org.cellkeeper.cell.model.Backup;
import org.cellkeeper.cell.model.CellId;
import org.cellkeeper.cell.model.CellName;
import org.cellkeeper.cell.model.ClusterState;
import org.cellkeeper.cell.model.Ensemble;
import org.cellkeeper.cell.model.Halt;
import org.cellkeeper.cell.model.HistoryEntry;
import org.cellkeeper.cell.model.Incarnation;
import org.cellkeeper.cell.model.Lsn;
import org.cellkeeper.cell.model.Member;
import org.cellkeeper.cell.model.PeerView;
import org.cellkeeper.cell.model.Phase;
import org.cellkeeper.cell.model.Presence;
import org.cellkeeper.cell.model.Reign;
import org.cellkeeper.cell.model.RevokedSession;
import org.cellkeeper.cell.model.StreamName;
import org.cellkeeper.cell.model.Task;
import org.cellkeeper.cell.model.VersionedState;
import org.cellkeeper.cell.model.Vote;

/**
 * Turns model records into JSON and back, so that the model itself knows nothing of JSON. Any thread may use it. It never
 * guesses: what does not make a whole record is {@link Unreadable}. Properties that it does not know are left out where a
 * newer cell may have written them, and refused in what a cell writes for itself alone.
 */
public final class Json {
    /** What other cells, perhaps newer ones, write. */
    private static final List<Class<?>> SHARED = List.of(
            Address.class,
            Backup.class,
            Backup.Part.class,
            ClusterState.class,
            Ensemble.class,
            Halt.class,
            HistoryEntry.class,
            Member.class,
            PeerView.class,
            Phase.class,
            Phase.Handover.class,
            Phase.Sealing.class,
            Phase.Steady.class,
            Presence.class,
            Reign.class,
            RevokedSession.class,
            Task.class,
            VersionedState.class,
            Vote.class);

    private static final JsonMapper MAPPER = mapper();

    private Json() {}

    /** The bytes are not a whole record of the kind that was asked for. The message says where. */
    public static final class Unreadable extends Exception {
        private static final long serialVersionUID = 1L;

        Unreadable(String message, Throwable cause) {
            super(message, cause);
        }

        Unreadable(String message) {
            super(message);
        }
    }

    public static byte[] write(Object value) {
        try {
            return MAPPER.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "no JSON for a " + value.getClass().getName(), e);
        }
    }

    public static String writeText(Object value) {
        return new String(write(value), StandardCharsets.UTF_8);
    }

    public static <T> T read(byte[] json, Class<T> type) throws Unreadable {
        T value;
        try {
            value = MAPPER.readValue(json, type);
        } catch (IOException e) {
            throw new Unreadable("not a readable " + type.getSimpleName() + ": " + reason(e), e);
        }
        if (value == null) {
            throw new Unreadable("not a readable " + type.getSimpleName() + ": null");
        }
        return value;
    }

    public static <T> T read(String json, Class<T> type) throws Unreadable {
        return read(json.getBytes(StandardCharsets.UTF_8), type);
    }

    private static String reason(IOException e) {
        return (e instanceof JsonProcessingException json) ? json.getOriginalMessage() + at(json) : e.toString();
    }

    private static String at(JsonProcessingException e) {
        return e.getLocation() == null ? "" : " (column " + e.getLocation().getColumnNr() + ")";
    }

    private static JsonMapper mapper() {
        JsonMapper.Builder builder = JsonMapper.builder()
                .addModule(new Jdk8Module())
                .addModule(new JavaTimeModule())
                .addModule(valueTypes())
                .addMixIn(Phase.class, PhaseForm.class)
                .annotationIntrospector(new RequiredComponents())
                .visibility(PropertyAccessor.GETTER, JsonAutoDetect.Visibility.NONE)
                .visibility(PropertyAccessor.IS_GETTER, JsonAutoDetect.Visibility.NONE)
                .visibility(PropertyAccessor.FIELD, JsonAutoDetect.Visibility.ANY)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS, MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
                .disable(MapperFeature.SORT_CREATOR_PROPERTIES_FIRST)
                .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
                .disable(SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
                .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                .enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .defaultPropertyInclusion(
                        JsonInclude.Value.construct(JsonInclude.Include.ALWAYS, JsonInclude.Include.ALWAYS));
        for (Class<?> shared : SHARED) {
            builder.withConfigOverride(shared, o -> o.setIgnorals(JsonIgnoreProperties.Value.forIgnoreUnknown(true)));
        }
        return builder.build();
    }

    private static SimpleModule valueTypes() {
        SimpleModule module = new SimpleModule("cell-values");
        asText(module, CellName.class, CellName::new);
        asText(module, Incarnation.class, Incarnation::new);
        asText(module, CellId.class, CellId::parse);
        asText(module, StreamName.class, StreamName::parse);
        asText(module, Lsn.class, Lsn::parse);
        return module;
    }

    private static <T> void asText(SimpleModule module, Class<T> type, Function<String, T> parse) {
        module.addSerializer(type, ToStringSerializer.instance);
        module.addDeserializer(type, new TextForm<>(type, parse));
        module.addKeyDeserializer(type, new TextKey<>(type, parse));
    }

    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = Phase.Steady.class, name = "STEADY"),
        @JsonSubTypes.Type(value = Phase.Sealing.class, name = "SEALING"),
        @JsonSubTypes.Type(value = Phase.Handover.class, name = "HANDOVER")
    })
    private interface PhaseForm {}

    /** A value whose text is its whole form. */
    private static final class TextForm<T> extends FromStringDeserializer<T> {
        private static final long serialVersionUID = 1L;

        private final transient Function<String, T> parse;

        TextForm(Class<T> type, Function<String, T> parse) {
            super(type);
            this.parse = parse;
        }

        @Override
        public T deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            if (parser.currentToken() != JsonToken.VALUE_STRING) {
                context.reportInputMismatch(this, "a %s is a string", _valueClass.getSimpleName());
            }
            return _deserialize(parser.getText(), context);
        }

        @Override
        protected T _deserialize(String text, DeserializationContext context) throws IOException {
            try {
                return parse.apply(text);
            } catch (IllegalArgumentException e) {
                return context.reportInputMismatch(this, "%s", e.getMessage());
            }
        }
    }

    /** The same as a key of an object. */
    private static final class TextKey<T> extends KeyDeserializer {
        private final Class<T> type;
        private final Function<String, T> parse;

        TextKey(Class<T> type, Function<String, T> parse) {
            this.type = type;
            this.parse = parse;
        }

        @Override
        public Object deserializeKey(String key, DeserializationContext context) throws IOException {
            try {
                return parse.apply(key);
            } catch (IllegalArgumentException e) {
                return context.handleWeirdKey(type, key, "%s", e.getMessage());
            }
        }
    }
}
